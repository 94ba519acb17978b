use super::{From, Import, Target, read};
use crate::control::Secrets;
use crate::exit::Failure;
use sip_auth::Algorithm;

fn import(text: &str, from: From, realm: &str) -> Result<Import, Failure> {
    read(text, from, &Target { realm, algorithms: &[Algorithm::Md5], domain: None })
}

fn secrets(name: &str, realm: &str, password: &str) -> Secrets {
    Secrets::of(&sip_auth::Secrets::new(name, realm, password))
}

/// The MD5 alone, as other exchanges have it.
fn md5(name: &str, realm: &str, password: &str) -> String {
    secrets(name, realm, password).ha1_md5.unwrap()
}

fn names(import: &Import) -> Vec<&str> {
    import.accounts.iter().map(|account| account.name.as_str()).collect()
}

#[test]
fn a_subscriber_table_of_either_kind_gives_the_same_accounts() {
    let ha1 = md5("alice", "example.org", "wonderland");
    let mysql = format!(
        "CREATE TABLE `subscriber` (`id` int, `username` varchar(64), `domain` varchar(64), `password` varchar(64), `ha1` varchar(128), `ha1b` varchar(128));\n\
        INSERT INTO `subscriber` VALUES (1,'alice','example.org','','{ha1}','x'),(2,'bob','example.org','','{ha1}','x');\n"
    );
    let sqlite = format!(
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nINSERT INTO subscriber VALUES(1,'alice','example.org','','{ha1}','x');\n\
        INSERT INTO subscriber VALUES(2,'bob','example.org','','{}','x');\nCOMMIT;\n",
        ha1.to_uppercase()
    );
    let old = format!(
        "INSERT INTO subscriber VALUES (1,'alice','example.org','','a@b','{ha1}','x',NULL),(2,'bob','example.org','','','{ha1}','x',NULL);"
    );
    let csv = format!("username,domain,ha1,ha1b\nalice,example.org,{ha1},x\nbob,example.org,{ha1},x\n");
    let bare = format!("alice\texample.org\t{ha1}\nbob\texample.org\t{ha1}\n");
    for text in [mysql, sqlite, old, csv, bare] {
        let import = import(&text, From::Kamailio, "example.org").unwrap();
        assert_eq!((names(&import), import.skipped.len()), (vec!["alice", "bob"], 0), "{text}");
        let expected = Secrets { ha1_md5: Some(ha1.clone()), ..Secrets::default() };
        assert!(import.accounts.iter().all(|account| account.realm == "example.org" && account.secrets == expected));
    }
}

#[test]
fn what_was_made_for_another_realm_is_refused_with_the_setting_that_helps() {
    let row = |name: &str, domain: &str| format!("{name},{domain},{}\n", md5(name, domain, "x"));
    let text = format!("{}{}", row("alice", "example.org"), row("bob", "example.org"));
    let failure = import(&text, From::Kamailio, "ringback").unwrap_err();
    assert!(
        failure.text.contains("nothing is imported") && failure.text.contains("set auth.realm = \"example.org\""),
        "{failure:?}"
    );
    let mixed = text + &row("carol", "example.net");
    let failure = import(&mixed, From::Kamailio, "example.org").unwrap_err();
    assert!(failure.text.contains("1 for realm \"example.net\""), "{failure:?}");
    let target = Target { realm: "example.org", algorithms: &[Algorithm::Md5], domain: Some("Example.org") };
    assert_eq!(names(&read(&mixed, From::Kamailio, &target).unwrap()), ["alice", "bob"]);
    let asterisk = format!("[100]\ntype=auth\nauth_type=md5\nusername=100\nmd5_cred={}\n", md5("100", "asterisk", "x"));
    let failure = import(&asterisk, From::Asterisk, "ringback").unwrap_err();
    assert!(failure.text.contains("set auth.realm = \"asterisk\""), "{failure:?}");
    assert_eq!(names(&import(&asterisk, From::Asterisk, "asterisk").unwrap()), ["100"]);
}

#[test]
fn plain_passwords_fit_any_realm_and_are_forgotten() {
    let text = "username,domain,password,ha1\nalice,example.org,wonderland,\n";
    let both = format!(
        "username,domain,password,ha1\nalice,example.org,wonderland,{}\n",
        md5("alice", "example.org", "wonderland")
    );
    for text in [text, &both] {
        let import = import(text, From::Kamailio, "ringback").unwrap();
        assert_eq!(import.accounts[0].secrets, secrets("alice", "ringback", "wonderland"));
        assert!(!format!("{import:?}").contains("wonderland"));
    }
    // A password that is not the one of the HA1 is some other column's business.
    let other = both.replace("wonderland", "unused");
    assert!(import(&other, From::Kamailio, "ringback").unwrap_err().text.contains("example.org"));
}

#[test]
fn asterisks_accounts_are_found_and_its_trunks_are_not() {
    let text = format!(
        "[global]\ntype=global\ndefault_realm=pbx\n[auth-base](!)\ntype=auth\nauth_type=userpass\n\
        [100](auth-base)\nusername=100\npassword=first\n\
        [101]\ntype=auth\nauth_type=md5\nusername=101\nmd5_cred={}\nrealm=\n\
        [102]\ntype=auth\nauth_type=digest\nusername=102\npassword_digest=MD5:{}\npassword_digest=SHA-256:{}\n\
        [carrier-auth]\ntype=auth\nusername=account\npassword=theirs\n[carrier]\ntype=endpoint\noutbound_auth=carrier-auth\n\
        [103]\ntype=auth\nauth_type=google_oauth\nusername=103\n",
        md5("101", "pbx", "second"),
        md5("102", "pbx", "third"),
        secrets("102", "pbx", "third").ha1_sha256.unwrap(),
    );
    let import = import(&text, From::Asterisk, "pbx").unwrap();
    assert_eq!(names(&import), ["100", "101", "102"]);
    assert_eq!(import.accounts[0].secrets, secrets("100", "pbx", "first"));
    assert_eq!(import.accounts[1].secrets.ha1_md5.as_deref(), Some(md5("101", "pbx", "second").as_str()));
    assert_eq!(import.accounts[2].secrets, Secrets { ha1_sha512_256: None, ..secrets("102", "pbx", "third") });
    assert_eq!((import.skipped.len(), import.skipped[0].name.as_str()), (1, "103"));
    let sip = format!(
        "[general]\nrealm=pbx\n[200]\ntype=friend\nhost=dynamic\nmd5secret={}\nsecret=unused\n[201]\ntype=friend\nhost=dynamic\nsecret=plain\n\
        [carrier]\ntype=peer\nhost=sip.carrier.example\nsecret=theirs\n[202]\ntype=friend\nhost=dynamic\n",
        md5("200", "pbx", "fourth")
    );
    let import =
        super::read(&sip, From::Asterisk, &Target { realm: "pbx", algorithms: &[Algorithm::Md5], domain: None })
            .unwrap();
    assert_eq!((names(&import), import.skipped.len()), (vec!["200", "201"], 1));
    assert_eq!(import.accounts[1].secrets, secrets("201", "pbx", "plain"));
}

#[test]
fn what_cannot_be_taken_over_is_named_with_its_line() {
    let ha1 = md5("a", "r", "x");
    let text = format!("username,domain,ha1\na b,r,{ha1}\na,r,{ha1}\na,r,{ha1}\nc,r,12\nd,r,\n");
    let import = import(&text, From::Kamailio, "r").unwrap();
    assert_eq!(names(&import), ["a"]);
    let said: Vec<String> = import.skipped.iter().map(ToString::to_string).collect();
    for (said, expected) in said.iter().zip([
        "line 2: a b: this cannot",
        "line 4: a: there is another",
        "line 5: c: its ha1",
        "line 6: d: it has neither",
    ]) {
        assert!(said.starts_with(expected), "{said}");
    }
    assert_eq!(said.len(), 4);
    let sha256 = Target { realm: "r", algorithms: &[Algorithm::Sha256, Algorithm::Md5], domain: None };
    let import = read(&format!("a,r,{ha1}\n"), From::Kamailio, &sha256).unwrap();
    assert!(import.accounts.is_empty() && import.skipped[0].why.contains("no HA1 for SHA-256"), "{import:?}");
    for (text, from) in [
        ("", From::Kamailio),
        ("x,y\n1,2\n", From::Kamailio),
        ("INSERT INTO other VALUES (1);", From::Kamailio),
        ("[a]\n", From::Asterisk),
    ] {
        assert!(
            super::read(text, from, &sha256).is_err() || !super::read(text, from, &sha256).unwrap().skipped.is_empty(),
            "{text}"
        );
    }
}
