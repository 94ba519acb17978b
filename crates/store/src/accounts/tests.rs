use super::Accounts;
use crate::Account;
use crate::testing::account;
use routing::{Forwards, Limits, Place};

fn accounts(configured: Vec<Account>, stored: Vec<Account>) -> Accounts {
    Accounts::new("ringback", configured, stored)
}

#[test]
fn both_are_one_view_in_which_the_configuration_wins() {
    let accounts = accounts(vec![account("100", "typed")], vec![account("100", "stored"), account("101", "x")]);
    let other = accounts.clone();
    assert_eq!(accounts.names(), ["100", "101"]);
    assert!(accounts.is_configured("100") && !accounts.is_configured("101"));
    assert_eq!(other.secrets("100"), Some(account("100", "typed").secrets));
    accounts.put(account("102", "x"));
    accounts.remove("101");
    accounts.remove("100");
    assert_eq!((other.names(), other.contains("101")), (vec!["100".into(), "102".into()], false));
    assert_eq!((other.secrets("101"), other.stored_len()), (None, 1));
}

#[test]
fn who_is_gone_or_has_another_password_is_told() {
    let configured = ["100", "101", "102", "103"].map(|name| account(name, "x")).to_vec();
    let accounts = accounts(configured, vec![account("103", "x"), account("102", "other")]);
    let mut changed = accounts.configure(vec![account("100", "x"), account("101", "y"), account("104", "z")]);
    changed.sort();
    assert_eq!(changed, ["101", "102"], "103 is stored with the same password");
    assert_eq!(accounts.names(), ["100", "101", "102", "103", "104"]);
}

#[test]
fn forwards_and_limits_are_there_and_a_change_of_them_drops_nobody() {
    let forwarded = |to| Account {
        forwards: Forwards { busy: Some(Place::parse(to).unwrap()), ..Forwards::default() },
        limits: Some(Limits { calls: 1, ..Limits::default() }),
        ..account("100", "x")
    };
    let accounts = accounts(vec![forwarded("101")], Vec::new());
    assert_eq!(accounts.forwards("100").unwrap().busy, Some(Place::parse("101").unwrap()));
    assert_eq!(accounts.configure(vec![forwarded("sip:a@b"), account("101", "x")]), [""; 0]);
    assert_eq!(accounts.forwards("100").unwrap().busy, Some(Place::parse("sip:a@b").unwrap()));
    assert_eq!(accounts.limits("100").unwrap().calls, 1);
    assert_eq!((accounts.forwards("101"), accounts.forwards("102"), accounts.limits("101")), (None, None, None));
}

#[test]
fn secrets_of_another_realm_are_worth_nothing() {
    let strange = Account { realm: "other".into(), ..account("101", "x") };
    let accounts = accounts(Vec::new(), vec![strange.clone()]);
    assert_eq!((accounts.names().len(), accounts.contains("101"), accounts.secrets("101")), (0, false, None));
    assert_eq!((accounts.of_other_realms(), accounts.stored("101")), (vec![strange.clone()], Some(strange)));
}
