use engine::Rng;

/// A generator keyed with 256 bits of the system's randomness.
///
/// # Panics
/// If the system has none to give: nothing that an exchange promises holds without it.
pub fn system_rng() -> Rng {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap_or_else(|error| panic!("the system gives no randomness: {error}"));
    Rng::from_seed(seed)
}
