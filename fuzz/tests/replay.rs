//! Replays the committed corpus: what was once worth keeping must stay harmless. Each target has a folder in `corpus/`.

use std::fs;
use std::path::Path;

#[test]
fn the_corpus_is_harmless() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in gftp_fuzz::TARGETS {
        let folder = fs::read_dir(corpus.join(name)).unwrap_or_else(|e| panic!("corpus/{name}: {e}"));
        let mut replayed = 0;
        for entry in folder {
            let path = entry.expect("an entry of the corpus").path();
            println!("{}", path.display());
            target(&fs::read(&path).expect("an input"));
            replayed += 1;
        }
        assert!(replayed > 0, "corpus/{name} is empty");
    }
}

#[test]
fn every_folder_of_the_corpus_is_a_targets() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(corpus).expect("the corpus") {
        let name = entry.expect("a folder").file_name();
        assert!(gftp_fuzz::TARGETS.iter().any(|(target, _)| name == *target), "{name:?} is no target's");
    }
}
