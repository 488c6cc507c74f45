// Node runs other programs, and threads of its own.
const { execSync } = require("child_process");
console.log("parent: nothing\nchild: nothing");
console.log("shell: " + execSync("echo $((40 + 2))").toString().trim());
