//! On a machine without a driver `forkguard check` gives the program one that has no device: what would initialise CUDA
//! is the culprit there, too. Would fail if the attempt were not seen, if the stand-in took a real driver's place, or
//! if the packages that look for CUDA took it for more than it is.

use forkguard_testkit::{Program, stand_in};
use snapbox::{assert_data_eq, str};

use crate::watching::{forkguard, of_python};

fn check() -> Program {
    stand_in();
    forkguard("check").without_driver()
}

#[test]
fn who_would_initialise_is_the_culprit() {
    let outcome = of_python(check(), &["-c", "import pkg"]).run();
    outcome.assert_code(1);
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: CUDA would be initialised by pid [..], [..]s after the start, at pkg/gpu.py:15
  (this machine has no driver, so the program was given one that has no device)

  pid [..]  python[..]
    asked for    [..]s  MainThread  cuInit, through [..]
      pkg/gpu.py:15 <module>   pkg/gpu.py:8 ask
      imported by  <string>:1 > pkg/__init__.py:2 > pkg/gpu.py:15
      the driver answered CUDA_ERROR_NO_DEVICE (100)

  fix  move what pkg/gpu.py:15 does into a function that is called when a GPU is needed: importing
       should leave CUDA alone

"]]
    );
}

#[test]
fn the_driver_has_both_of_its_names() {
    let code = "import ctypes; print(ctypes.CDLL('libcuda.so').cuInit(0))";
    let outcome = of_python(check(), &["-c", code]).run();
    outcome
        .assert_code(1)
        .assert_stdout(&["100"])
        .assert_says("CUDA would be initialised by pid");
}

#[test]
fn who_counts_devices_by_nvml_is_innocent() {
    // As PyTorch does, which goes to the driver where NVML fails.
    let code = "
import ctypes
nvml, count = ctypes.CDLL('libnvidia-ml.so.1'), ctypes.c_int(-1)
if nvml.nvmlInit() or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
    ctypes.CDLL('libcuda.so.1').cuInit(0)
print(count.value)";
    let outcome = of_python(check(), &["-c", code]).run();
    outcome.assert_code(0).assert_stdout(&["0"]);
}

#[test]
fn a_driver_that_is_there_is_the_one_used() {
    let outcome = of_python(forkguard("check"), &["later.py", "itself"]).run();
    outcome.assert_code(1);
    assert!(!outcome.stderr.contains("no driver"), "{}", outcome.story());
}

/// By the interpreter that has packages.
fn of_packages(code: &str) -> Program {
    let usual = "../../target/python/bin/python";
    let interpreter = std::env::var_os("FORKGUARD_TEST_PACKAGES").unwrap_or(usual.into());
    let interpreter = std::path::absolute(interpreter).expect("it has a name");
    check().arg("--").arg(interpreter).args(["-B", "-c", code])
}

#[test]
fn packages_see_no_device() {
    let numba = "import numba.cuda as c; print(c.is_available())";
    let bindings = "from cuda.bindings import driver; print(int(driver.cuInit(0)[0]))";
    for (code, said) in [(numba, "False"), (bindings, "100")] {
        of_packages(code)
            .run()
            .assert_code(1)
            .assert_stdout(&[said])
            .assert_says("the driver answered CUDA_ERROR_NO_DEVICE (100)");
    }
}

#[test]
fn packages_that_are_only_imported_are_innocent() {
    for package in ["numba.cuda", "cuda.bindings.driver", "onnxruntime"] {
        let outcome = of_packages(&format!("import {package}")).run();
        outcome.assert_code(0);
        assert_data_eq!(&outcome.stderr, "forkguard: CUDA was not initialised\n");
    }
}
