# Perl's fork, in a program that has nothing to do with CUDA.
$| = 1;
print "parent: nothing\n";
my $child = fork() // die "fork: $!";
if (!$child) { print "child: nothing\n"; exit 0; }
waitpid($child, 0);
print "shell: ", `echo \$((40 + 2))`;
