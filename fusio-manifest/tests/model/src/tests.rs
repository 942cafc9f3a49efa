use crate::{configurations, explore};

#[test]
fn faults() {
    let exploration = explore(&configurations::commits(), 2);
    println!("{exploration:#?}");
}
