use crate::{Account, StoreError, valid_name};
use routing::{Forwards, NO_ANSWER_AFTER_S, NO_ANSWER_AFTER_S_MAX, Place};
use serde::Deserialize;
use sip_auth::Secrets;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// `users.toml`, in which older versions have kept the accounts.
#[derive(Debug, Clone)]
pub(crate) struct UsersFile {
    path: PathBuf,
}

impl UsersFile {
    pub(crate) fn new(path: PathBuf) -> UsersFile {
        UsersFile { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Everybody in it, in its order; `None` when there is no file.
    ///
    /// A file that cannot be understood is [`StoreError::Damaged`], and stays as it is.
    pub(crate) fn read(&self) -> Result<Option<Vec<Account>>, StoreError> {
        match fs::read_to_string(&self.path) {
            Ok(text) => parse(&text).map(Some).map_err(|what| StoreError::Damaged { path: self.path.clone(), what }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(StoreError::Damaged { path: self.path.clone(), what: "it is no text".to_owned() })
            }
            Err(error) => Err(StoreError::io("reading", &self.path)(error)),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    #[serde(default)]
    user: Vec<TypedUser>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedUser {
    name: String,
    realm: String,
    ha1_md5: String,
    ha1_sha256: String,
    #[serde(default)]
    ha1_sha512_256: Option<String>,
    #[serde(default)]
    forward: Option<TypedForwards>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedForwards {
    always: Option<String>,
    busy: Option<String>,
    no_answer: Option<String>,
    no_answer_after_s: Option<u32>,
    not_registered: Option<String>,
}

impl TypedForwards {
    fn read(self) -> Result<Forwards, String> {
        let place = |text: Option<String>| {
            let read =
                text.map(|text| Place::parse(&text).map_err(|wanted| format!("to {text:?}: {wanted} is needed")));
            read.transpose()
        };
        let after_s = self.no_answer_after_s.unwrap_or(NO_ANSWER_AFTER_S);
        if !(1..=NO_ANSWER_AFTER_S_MAX).contains(&after_s) {
            return Err(format!("after {after_s} s: 1 to {NO_ANSWER_AFTER_S_MAX} is possible"));
        }
        Ok(Forwards {
            always: place(self.always)?,
            busy: place(self.busy)?,
            no_answer: place(self.no_answer)?,
            no_answer_after_s: after_s,
            not_registered: place(self.not_registered)?,
        })
    }
}

fn parse(text: &str) -> Result<Vec<Account>, String> {
    let typed: Typed = toml::from_str(text).map_err(|error| {
        // Not the line itself, as the error would show it: secrets stand there, and this ends up in a log.
        let start = error.span().map_or(0, |span| text.floor_char_boundary(span.start));
        format!("line {}: {}", text[..start].matches('\n').count() + 1, error.message())
    })?;
    let mut accounts: Vec<Account> = Vec::with_capacity(typed.user.len());
    for user in typed.user {
        let wrong = |what: &str| Err(format!("user {:?} {what}", user.name));
        if !valid_name(&user.name) {
            return wrong("has a name that no user can have");
        }
        if accounts.iter().any(|other| other.name == user.name) {
            return wrong("is there twice");
        }
        let mut secrets = Secrets { md5: [0; 16], sha256: [0; 32], sha512_256: None };
        let sha512_256 = user.ha1_sha512_256.as_deref();
        if !unhex(&user.ha1_md5, &mut secrets.md5)
            || !unhex(&user.ha1_sha256, &mut secrets.sha256)
            || !sha512_256.is_none_or(|text| unhex(text, secrets.sha512_256.insert([0; 32])))
        {
            return wrong(
                "has a secret that is not 32 (ha1_md5) or 64 (ha1_sha256, ha1_sha512_256) hexadecimal digits",
            );
        }
        let forwards = match user.forward.unwrap_or_default().read() {
            Ok(forwards) => forwards,
            Err(what) => return wrong(&format!("has a forward {what}")),
        };
        accounts.push(Account { name: user.name, realm: user.realm, secrets, forwards, limits: None });
    }
    Ok(accounts)
}

/// Fills `bytes` from exactly as many hexadecimal digits; says whether it could.
pub fn unhex(text: &str, bytes: &mut [u8]) -> bool {
    if text.len() != 2 * bytes.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return false;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(digits[0]) << 4 | digit(digits[1]);
    }
    true
}

#[cfg(test)]
mod tests {
    use crate::testing::{Scratch, account, options};
    use crate::{DataFolder, Store, StoreError};
    use engine::Rng;
    use std::fs;

    const TWO: &str = "
        [[user]]
        name = \"100\"
        realm = \"ringback\"
        ha1_md5 = \"<md5>\"
        ha1_sha256 = \"<sha256>\"
        [user.forward]
        always = \"sip:{user}@vm.example\"
        no_answer = \"101\"
        no_answer_after_s = 12
        [[user]]
        name = \"101\"
        realm = \"ringback\"
        ha1_md5 = \"<md5>\"
        ha1_sha256 = \"<sha256>\"
    ";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn two() -> String {
        let secrets = account("100", "x").secrets;
        TWO.replace("<md5>", &hex(&secrets.md5)).replace("<sha256>", &hex(&secrets.sha256))
    }

    fn open(folder: &DataFolder) -> Result<Store, StoreError> {
        Store::open(folder, crate::URL, options(), &mut Rng::from_u64(1))
    }

    #[test]
    fn its_accounts_are_taken_over_once() {
        let scratch = Scratch::new("taken-over");
        let folder = DataFolder::create(&scratch.path).unwrap();
        let (old, kept) = (scratch.path.join("users.toml"), scratch.path.join("users.toml.imported"));
        fs::write(&old, two()).unwrap();
        for _ in 0..2 {
            let store = open(&folder).unwrap();
            let [first, second] = &store.accounts().all_stored()[..] else { panic!("two accounts") };
            assert_eq!(first.secrets.md5, account("100", "x").secrets.md5);
            let places: Vec<_> = first.forwards.places().map(|(when, place)| (when, place.as_str())).collect();
            assert_eq!(places, [("always", "sip:{user}@vm.example"), ("no_answer", "101")]);
            assert_eq!((first.forwards.no_answer_after_s, second.forwards.is_empty()), (12, true));
            assert!(!old.exists() && kept.exists());
        }
        // Again, as after a crash before it was renamed.
        fs::rename(&kept, &old).unwrap();
        assert_eq!(open(&folder).unwrap().accounts().stored_len(), 2);
        assert!(!old.exists());
    }

    #[test]
    fn a_damaged_one_is_refused_and_left_as_it_is() {
        let scratch = Scratch::new("torn");
        let folder = DataFolder::create(&scratch.path).unwrap();
        let (path, whole) = (scratch.path.join("users.toml"), two());
        for torn in [
            whole[..whole.len() - 30].to_owned(),
            "\0\0\0\0".to_owned(),
            "[[user]]\nname = \"100\"\n".to_owned(),
            whole.replace("\"101\"", "\"a@b\""),
            whole.replace("no_answer_after_s = 12", "no_answer_after_s = 0"),
            whole.replace("always", "allways"),
            whole.clone() + &whole,
        ] {
            fs::write(&path, &torn).unwrap();
            let error = open(&folder).unwrap_err().to_string();
            assert!(error.contains("users.toml cannot be understood"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), torn, "left as it was");
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(open(&folder), Err(StoreError::Damaged { .. })));
    }
}
