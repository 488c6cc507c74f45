//! A forked child that PyTorch refuses CUDA by itself, before any driver call, is reported like one that the driver
//! refuses. Fails when the child ends with PyTorch's words alone, also where C code made the fork, or when the report does
//! not name all three places. The real PyTorch: `scripts/gpu-check`.

use forkguard_testkit::python;

#[test]
fn it_is_reported_whoever_forks() {
    for forks in ["python", "c"] {
        let program = python("torch_refusal.py").arg(forks);
        let bare = program.clone().bare().run();
        bare.assert_silent()
            .assert_stdout(&["Cannot re-initialize CUDA in forked subprocess", "ended 0"]);
        program
            .run()
            .assert_code(0)
            .assert_stdout(&["ended 6"])
            .assert_reports("torch.cuda._lazy_init")
            .assert_blames("torch_refusal.py");
    }
}
