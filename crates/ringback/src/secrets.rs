use engine::Rng;

/// Letters and digits that nobody takes for another one.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a generated password, not counting the hyphens: 16 of 32 are 80 bits.
const PASSWORD_LENGTH: usize = 16;

/// A password to read out and to type: `abcd-2345-...`.
pub(crate) fn password(rng: &mut Rng) -> String {
    let mut password = String::new();
    for index in 0..PASSWORD_LENGTH {
        if index > 0 && index % 4 == 0 {
            password.push('-');
        }
        password.push(char::from(ALPHABET[rng.below(ALPHABET.len() as u64) as usize]));
    }
    password
}

#[cfg(test)]
mod tests {
    use super::password;
    use engine::Rng;

    #[test]
    fn passwords_are_readable_and_differ() {
        let mut rng = Rng::from_u64(1);
        let (one, two) = (password(&mut rng), password(&mut rng));
        assert_ne!(one, two);
        assert_eq!((one.len(), one.split('-').count()), (19, 4));
        assert!(!one.contains(['0', 'o', '1', 'l']), "{one}");
    }
}
