//! Long form of the key rotations cut short: `rotation IMAGES STRIDE SEED`.

fn main() -> std::process::ExitCode {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>());
    let (Some(Ok(images)), Some(Ok(stride)), Some(Ok(seed))) =
        (args.next(), args.next(), args.next())
    else {
        eprintln!("usage: rotation IMAGES STRIDE SEED");
        return 2.into();
    };
    match audit_testkit::rotation::sweep(images, stride.max(1), seed) {
        Ok(result) => {
            println!("{result:?}");
            0.into()
        }
        Err(error) => {
            eprintln!("{error}");
            1.into()
        }
    }
}
