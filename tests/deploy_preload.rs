//! With the guard in `/etc/ld.so.preload` every program of a machine has it: shells and their tools, setuid programs,
//! daemons, what cron starts with hardly an environment. Nobody may notice: each says and does what it does in the same
//! root directory without the guard. Fails when one of them says a word more or ends otherwise; and when the guard is not
//! in them, for then all the others would prove nothing.

use forkguard_testkit::{Outcome, Root, client};

fn shell(root: &Root, script: &str) -> Outcome {
    root.program(&["/bin/sh", "-c", script]).run()
}

/// The same with the guard as without, and `expected` is part of what it says, so that it did something.
fn same(script: &str, expected: &str) {
    same_in(&Root::bare(), &Root::preloaded(""), script, expected);
}

fn same_in(bare: &Root, guarded: &Root, script: &str, expected: &str) {
    let bare = shell(bare, script);
    let said = [&*bare.stdout, &*bare.stderr].concat();
    assert!(said.contains(expected), "{}", bare.story());
    shell(guarded, script).assert_same_as(&bare);
}

const AS_NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups";

#[test]
fn the_guard_is_in_all_but_static_programs() {
    const LOOK: &str =
        "grep -c libforkguard.so /proc/self/maps; busybox grep -c libforkguard.so /proc/self/maps";
    let bare = shell(&Root::bare(), LOOK);
    bare.assert_stdout(&["0", "0"]);
    let guarded = shell(&Root::preloaded(""), LOOK);
    let count = |line: &str| line.parse::<u32>().expect("a number");
    let seen: Vec<bool> = guarded.stdout.lines().map(|line| count(line) > 0).collect();
    assert_eq!(seen, [true, false], "{}", guarded.story());
}

#[test]
fn shell_tools() {
    same(
        "cd /etc; ls -l passwd | cut -d' ' -f1; cat hostname >/dev/null; grep -c : passwd; find . -name passwd
         tar -cf - passwd group | tar -tf -; sort passwd | uniq -c | awk 'END { print NR }'
         echo text | sed s/t/T/ | tr e E | md5sum; date -u -d @0; stat -c %a /tmp; expr 6 \\* 7
         head -c 100000 /dev/zero | gzip | gzip -d | wc -c; dd if=/dev/zero bs=1k count=3 2>/dev/null | wc -c",
        "passwd",
    );
}

#[test]
fn bash() {
    same(
        "exec bash -c 'set -o pipefail; (exit 3) & wait -n; echo $?; for i in 1 2 3; do (exit $i) & done; wait; echo $?
         diff <(echo a) <(echo b); coproc cat; echo to >&\"${COPROC[1]}\"; read -r x <&\"${COPROC[0]}\"; echo $x
         trap \"echo trapped\" USR1; kill -USR1 $$; true | false | cat; echo ${PIPESTATUS[@]}; ulimit -c; exit 9'",
        "trapped",
    );
}

#[test]
fn packages_and_perl() {
    same(
        "apt-get --version | head -n 1; dpkg --print-architecture; dpkg-query -W -f '${Status}\\n' dpkg
         perl -e 'my $pid = fork; if (!$pid) { exit 7 } waitpid $pid, 0; print $? >> 8, qq(\\n); print `echo deep`'",
        "deep",
    );
}

#[test]
fn python() {
    same(
        "exec python3 -c 'import multiprocessing, subprocess, ctypes
with multiprocessing.get_context(\"fork\").Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
print(subprocess.run([\"id\", \"-u\"], capture_output=True).stdout, ctypes.CDLL(None).getpid() > 0)'",
        "[1, 2]",
    );
}

#[test]
fn how_programs_end() {
    same(
        "sh -c 'exit 3'; echo $?; sh -c 'kill -SEGV $$'; echo $?; sh -c 'kill -ABRT $$'; echo $?
         no-such-program; echo $?; /etc/passwd; echo $?; timeout -s KILL 0.05 sleep 60; echo $?; ls /nowhere",
        "139",
    );
}

#[test]
fn setuid_programs() {
    // `passwd -S` and `su` read /etc/shadow, which nobody may: they are root in there.
    let script = format!(
        "{AS_NOBODY} passwd -S; {AS_NOBODY} mount | grep -c proc >/dev/null; echo $?
         {AS_NOBODY} mount -t tmpfs none /tmp; echo $?; su -s /bin/sh nobody -c 'id -u; echo $0'; {AS_NOBODY} cat /etc/shadow
         {AS_NOBODY} su -c id </dev/null; echo $?"
    );
    same(&script, "nobody L");
}

#[test]
fn a_static_program() {
    same(
        "busybox sh -c 'busybox echo a | busybox wc -c; (exit 4); echo $?'; busybox id -u",
        "4",
    );
}

#[test]
fn daemons_and_cron() {
    same(
        "mkfifo /tmp/told
         start-stop-daemon --start --background --make-pidfile --pidfile /run/it.pid --startas /bin/sh -- \\
             -c 'trap \"kill \\$!; echo stopped >/tmp/told; exit\" TERM; sleep infinity & echo started >/tmp/told; wait'
         cat /tmp/told
         start-stop-daemon --stop --pidfile /run/it.pid --oknodo; cat /tmp/told
         env -i /bin/sh -c 'env; setsid -w sh -c \"echo from cron\" </dev/null 2>&1'",
        "stopped",
    );
}

#[test]
fn namespaces() {
    same(
        "unshare --pid --fork --mount-proc sh -c 'echo $$'; unshare --user --map-root-user id -u; unshare --net true; echo $?",
        "1",
    );
}

#[test]
fn without_proc_and_dev() {
    let without = |root: Root| root.then("umount -l \"$root/proc\" \"$root/dev\"");
    same_in(
        &without(Root::bare()),
        &without(Root::preloaded("!FORKGUARD_POLICY=abort\n")),
        "ls /proc; ls /dev; echo a | cat; python3 -c 'import os; print(os.getpid() > 1)'",
        "True",
    );
}

#[test]
fn a_library_that_is_not_there() {
    // The loader says so, in every program, and goes on: which is why the recipes look whether the guard is there.
    let root = Root::bare().with_text("/etc/ld.so.preload", "/usr/local/lib/gone.so\n");
    let outcome = shell(&root, "echo goes on");
    outcome.assert_code(0).assert_stdout(&["goes on"]);
    outcome.assert_says("/usr/local/lib/gone.so");
    outcome.assert_guard_silent();
}

#[test]
fn a_program_that_uses_cuda_rightly() {
    let with = |root: Root| root.with_file(&client("roads"), "/usr/local/bin/roads", 0o755);
    let script = "roads dlsym use; env -i /usr/local/bin/roads dlsym use";
    same_in(
        &with(Root::bare()),
        &with(Root::preloaded("")),
        script,
        "used the device",
    );
}
