use crate::{Account, StoreError, atomic, valid_name};
use routing::{Forwards, NO_ANSWER_AFTER_S, NO_ANSWER_AFTER_S_MAX, Place};
use serde::{Deserialize, Serialize};
use sip_auth::Secrets;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{fmt::Write as _, io};

const HEADER: &str = "# Written by ringback; change it with `ringback user`. These are digest secrets: keep them as you would passwords.\n\n";

/// The accounts' file: `users.toml`, mode 0600, never a password in plain text, replaced as a whole or not at all.
#[derive(Debug, Clone)]
pub struct UsersFile {
    path: PathBuf,
}

/// Tells one version of the file from another: every rewrite makes a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl UsersFile {
    /// `None` when there is no file.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(&self.path).ok()?;
        Some(Stamp {
            inode: metadata.ino(),
            length: metadata.len(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    pub(crate) fn new(path: PathBuf) -> UsersFile {
        UsersFile { path }
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everybody in it, in its order; nobody when there is no file.
    ///
    /// A file that cannot be understood is [`StoreError::Damaged`], and stays as it is.
    pub fn read(&self) -> Result<Vec<Account>, StoreError> {
        match fs::read_to_string(&self.path) {
            Ok(text) => parse(&text).map_err(|what| StoreError::Damaged { path: self.path.clone(), what }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(StoreError::Damaged { path: self.path.clone(), what: "it is no text".to_owned() })
            }
            Err(error) => Err(StoreError::io("reading", &self.path)(error)),
        }
    }

    /// Adds an account; [`StoreError::UserExists`] if the name is taken.
    pub fn add(&self, account: Account) -> Result<(), StoreError> {
        if !valid_name(&account.name) {
            return Err(StoreError::BadName(account.name));
        }
        self.change(|accounts| {
            if accounts.iter().any(|other| other.name == account.name) {
                return Err(StoreError::UserExists(account.name));
            }
            accounts.push(account);
            Ok(())
        })
    }

    /// Replaces the realm and the secrets of an account, and nothing else; [`StoreError::NoSuchUser`] if there is none.
    pub fn replace_secrets(&self, account: Account) -> Result<(), StoreError> {
        self.change(|accounts| match accounts.iter_mut().find(|other| other.name == account.name) {
            Some(old) => {
                (old.realm, old.secrets) = (account.realm, account.secrets);
                Ok(())
            }
            None => Err(StoreError::NoSuchUser(account.name)),
        })
    }

    /// Removes an account; [`StoreError::NoSuchUser`] if there is none.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.change(|accounts| {
            let before = accounts.len();
            accounts.retain(|account| account.name != name);
            if accounts.len() == before { Err(StoreError::NoSuchUser(name.to_owned())) } else { Ok(()) }
        })
    }

    /// Reads, changes and writes, while no other process does the same.
    fn change(&self, change: impl FnOnce(&mut Vec<Account>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let _turn = self.wait_for_turn()?;
        let mut accounts = self.read()?;
        change(&mut accounts)?;
        atomic::write(&self.path, render(&accounts).as_bytes())
    }

    /// The file itself is replaced by each change, so that a lock on it would be a lock on the past.
    fn wait_for_turn(&self) -> Result<File, StoreError> {
        let path = self.path.with_extension("lock");
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(StoreError::io("opening", &path))?;
        file.lock().map_err(StoreError::io("locking", &path))?;
        Ok(file)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    #[serde(default)]
    user: Vec<TypedUser>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedUser {
    name: String,
    realm: String,
    ha1_md5: String,
    ha1_sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ha1_sha512_256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forward: Option<TypedForwards>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedForwards {
    #[serde(skip_serializing_if = "Option::is_none")]
    always: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    busy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_answer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_answer_after_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
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

    fn of(forwards: &Forwards) -> Option<TypedForwards> {
        let text = |place: &Option<Place>| place.as_ref().map(|place| place.as_str().to_owned());
        (!forwards.is_empty()).then(|| TypedForwards {
            always: text(&forwards.always),
            busy: text(&forwards.busy),
            no_answer: text(&forwards.no_answer),
            no_answer_after_s: forwards.no_answer.is_some().then_some(forwards.no_answer_after_s),
            not_registered: text(&forwards.not_registered),
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

fn render(accounts: &[Account]) -> String {
    let users = accounts.iter().map(|account| TypedUser {
        name: account.name.clone(),
        realm: account.realm.clone(),
        ha1_md5: hex(&account.secrets.md5),
        ha1_sha256: hex(&account.secrets.sha256),
        ha1_sha512_256: account.secrets.sha512_256.as_ref().map(|secret| hex(secret)),
        forward: TypedForwards::of(&account.forwards),
    });
    let typed = Typed { user: users.collect() };
    if accounts.is_empty() {
        return HEADER.to_owned();
    }
    format!("{HEADER}{}", toml::to_string(&typed).expect("TOML can write strings in a table in an array"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
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
pub(crate) mod tests {
    use super::*;
    use crate::DataFolder;
    use std::os::unix::fs::PermissionsExt;

    pub(crate) use crate::testing::{Scratch, account};

    #[test]
    fn accounts_come_back_as_they_were_written() {
        let scratch = Scratch::new("users");
        let file = DataFolder::at(&scratch.path).users_file();
        assert_eq!(file.read().unwrap(), []);
        file.add(account("100", "first")).unwrap();
        file.add(account("alice", "second")).unwrap();
        file.replace_secrets(account("100", "third")).unwrap();
        assert_eq!(file.read().unwrap(), [account("100", "third"), account("alice", "second")]);
        file.remove("100").unwrap();
        assert_eq!(file.read().unwrap(), [account("alice", "second")]);
        file.remove("alice").unwrap();
        assert_eq!((file.read().unwrap().len(), file.exists()), (0, true));
        let text = fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("second"), "no password in plain text: {text}");
    }

    #[test]
    fn forwards_come_back_and_outlive_a_new_password() {
        let scratch = Scratch::new("forward");
        let file = DataFolder::at(&scratch.path).users_file();
        file.add(account("100", "first")).unwrap();
        let forward =
            "[user.forward]\nalways = \"sip:{user}@vm.example\"\nno_answer = \"101\"\nno_answer_after_s = 12\n";
        fs::write(file.path(), fs::read_to_string(file.path()).unwrap() + forward).unwrap();
        file.add(account("101", "x")).unwrap();
        file.replace_secrets(account("100", "second")).unwrap();
        let [first, second] = &file.read().unwrap()[..] else { panic!("two users") };
        assert_eq!(first.secrets, account("100", "second").secrets);
        let places: Vec<_> = first.forwards.places().map(|(when, place)| (when, place.as_str())).collect();
        assert_eq!(places, [("always", "sip:{user}@vm.example"), ("no_answer", "101")]);
        assert_eq!((first.forwards.no_answer_after_s, second.forwards.is_empty()), (12, true));
        for wrong in ["busy = \"a@b\"", "no_answer_after_s = 0", "bussy = \"1\""] {
            fs::write(file.path(), fs::read_to_string(file.path()).unwrap().replace("no_answer_after_s = 12", wrong))
                .unwrap();
            assert!(matches!(file.read(), Err(StoreError::Damaged { .. })), "{wrong}");
            fs::write(file.path(), fs::read_to_string(file.path()).unwrap().replace(wrong, "no_answer_after_s = 12"))
                .unwrap();
        }
    }

    #[test]
    fn what_is_damaged_is_told_without_the_secrets_beside_it() {
        for (text, line) in [
            ("[[user]]\nname = \"a\"\nrealm = \"r\"\nha1_md5 = \"5ec2e7\" oops\n", "line 4: "),
            ("[[user]]\nname = \"a\"\nha1_md6 = \"5ec2e7\"\n", "line 3: "),
            ("[[user]]\nname = \"a\"\nrealm = \"r\"\nha1_md5 = \"5ec2e7\"\nha1_sha256 = \"5ec2e7\"\n", "user "),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.starts_with(line) && !said.contains("5ec2e7"), "{said}");
        }
    }

    #[test]
    fn names_are_checked_and_taken_once() {
        let scratch = Scratch::new("names");
        let file = DataFolder::at(&scratch.path).users_file();
        file.add(account("100", "x")).unwrap();
        assert!(matches!(file.add(account("100", "x")), Err(StoreError::UserExists(_))));
        assert!(matches!(file.add(account("a b", "x")), Err(StoreError::BadName(_))));
        assert!(matches!(file.replace_secrets(account("101", "x")), Err(StoreError::NoSuchUser(_))));
        assert!(matches!(file.remove("101"), Err(StoreError::NoSuchUser(_))));
    }

    #[test]
    fn the_file_is_for_its_owner_alone_and_replaced_whole() {
        let scratch = Scratch::new("mode");
        let file = DataFolder::at(&scratch.path).users_file();
        file.add(account("100", "x")).unwrap();
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Whoever reads while it is replaced reads the old one to its end.
        let old = File::open(file.path()).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        file.add(account("101", "x")).unwrap();
        assert_eq!(io::read_to_string(old).unwrap(), text);
        // What a crash left behind is in nobody's way, and gives nobody its mode.
        let left = scratch.path.join("users.new");
        fs::write(&left, "half a fi").unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o644)).unwrap();
        file.add(account("102", "x")).unwrap();
        assert_eq!((file.read().unwrap().len(), left.exists()), (3, false));
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_torn_file_is_refused_and_never_emptied() {
        let scratch = Scratch::new("torn");
        let file = DataFolder::at(&scratch.path).users_file();
        file.add(account("100", "x")).unwrap();
        file.add(account("101", "x")).unwrap();
        let whole = fs::read_to_string(file.path()).unwrap();
        for torn in [&whole[..whole.len() - 30], &whole[..whole.len() - 80], "\0\0\0\0", "[[user]]\nname = \"100\"\n"] {
            fs::write(file.path(), torn).unwrap();
            let error = file.read().unwrap_err().to_string();
            assert!(error.contains("users.toml cannot be understood"), "{error}");
            assert!(file.add(account("102", "x")).is_err());
            assert!(file.remove("100").is_err());
            assert_eq!(fs::read_to_string(file.path()).unwrap(), torn, "left as it was");
        }
        fs::write(file.path(), [0xff, 0xfe]).unwrap();
        assert!(matches!(file.read(), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn two_who_write_at_the_same_time_take_turns() {
        let scratch = Scratch::new("turns");
        let file = DataFolder::at(&scratch.path).users_file();
        let add = |from: u32| {
            let file = file.clone();
            std::thread::spawn(move || {
                (from..from + 20).for_each(|number| file.add(account(&number.to_string(), "x")).unwrap());
            })
        };
        let threads = [add(100), add(200)];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(file.read().unwrap().len(), 40);
    }
}
