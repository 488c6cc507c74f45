//! `forkguard trace` names the line that initialised CUDA, the files that imported one another, and whether a context
//! was made. Would fail if it named another line, left out a link of the chain, or took asking for using.

use snapbox::{assert_data_eq, str};

use crate::watching::{forkguard, of_python};

#[test]
fn three_files_and_only_asked() {
    let outcome = of_python(forkguard("trace"), &["app.py"]).run();
    outcome.assert_code(0);
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: CUDA was initialised first by pid [..], [..]s after the start, at pkg/gpu.py:15

  pid [..]  python[..]
    initialised  [..]s  MainThread  cuInit, through [..]
      pkg/gpu.py:15 <module>   pkg/gpu.py:8 ask
      imported by  app.py:4 > pkg/__init__.py:2 > pkg/gpu.py:15
    only asked   no context was made

"]]
    );
}

#[test]
fn a_context_and_its_moment() {
    let outcome = of_python(forkguard("trace"), &["app.py", "context"]).run();
    outcome.assert_code(0);
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: CUDA was initialised first by pid [..], [..]s after the start, at pkg/gpu.py:15

  pid [..]  python[..]
    initialised  [..]s  MainThread  cuInit, through [..]
      pkg/gpu.py:15 <module>   pkg/gpu.py:8 ask
      imported by  app.py:4 > pkg/__init__.py:2 > pkg/gpu.py:15
    context      [..]s  MainThread  cuDevicePrimaryCtxRetain, through [..]
      pkg/gpu.py:12 make_context

"]]
    );
}
