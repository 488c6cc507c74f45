<?php // PHP runs other programs.
echo "parent: nothing\n", "child: nothing\n", "shell: ", shell_exec('echo $((40 + 2))');
