use crate::{Variant, configurations::large::product, ordinary, simulate, variants};

/// So many states are come by at least, or a world has lost something.
#[test]
fn x() {}
