//! Writes every custom resource definition into a folder: `crds [FOLDER]`, by default `crds` in the checkout.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../crds"), PathBuf::from);
    match write_all(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write the custom resource definitions to {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write_all(folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    for file in api::crds::all()? {
        std::fs::write(folder.join(file.name), api::crds::to_yaml(&file.crd)?)?;
    }
    Ok(())
}
