//! The table is whole, and every source's values and mistakes are told apart.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;

use super::flags::{Request, parse};
use super::*;
use crate::options::spec::{Scope, Spec};
use crate::options::table;

/// Resolves `forebay <command line>` with these variables and this file.
fn try_resolve(
    command_line: &str,
    variables: &[(&str, &str)],
    file: Option<&str>,
) -> Result<Resolved, String> {
    let arguments = ["forebay"].into_iter().chain(command_line.split_whitespace());
    let arguments = match parse(arguments.map(OsString::from).collect()) {
        Ok(Request::Run(arguments)) => arguments,
        Ok(other) => panic!("{other:?}"),
        Err(error) => return Err(error.to_string()),
    };
    let pair = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    let surroundings = Surroundings {
        environment: variables.iter().map(pair).collect(),
        read_file: &|name| match file {
            Some(text) if name == "forebay.toml" => Ok(text.to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        },
    };
    resolve(arguments.command, arguments.flags, &surroundings).map_err(|error| error.to_string())
}

/// The settings of a command line alone.
pub(crate) fn settings_of(command_line: &str) -> Settings {
    settings(command_line, &[], "")
}

fn settings(command_line: &str, variables: &[(&str, &str)], file: &str) -> Settings {
    try_resolve(command_line, variables, Some(file)).unwrap().settings
}

#[test]
fn every_row_is_sound() {
    let mut names = HashSet::new();
    for spec in table::all() {
        assert!(names.insert(spec.name), "{} is there twice", spec.name);
        assert!(!spec.commands.is_empty(), "{}", spec.name);
        assert!(
            !spec.help.ends_with('.'),
            "{}: its sentence is ended where it is shown",
            spec.name
        );
        let default = spec.default.map(|text| spec.kind.parse(&kind::Raw::Text(text.to_owned())));
        assert!(!matches!(default, Some(Err(_))), "the default of {} is no value", spec.name);
        assert_ne!(spec.default.is_none(), spec.otherwise.is_empty(), "{}", spec.name);
        if let Scope::Everywhere(path) = spec.scope {
            let key = path.rsplit('.').next().unwrap();
            assert!(spec.name.ends_with(key), "{path} is not called like {}", spec.name);
        }
    }
}

#[test]
fn no_flag_variable_or_key_is_two_options() {
    for command in Command::ALL {
        let mut flags = HashSet::new();
        for spec in table::all().filter(|spec| spec.is_for(command)) {
            for flag in spec.flag_aliases(command).into_iter().chain([spec.flag()]) {
                assert!(flags.insert(flag.clone()), "{}: --{flag}", command.name());
            }
        }
    }
    let check = |what: &str, names: Vec<String>| {
        let unique: HashSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{what}: {names:?}");
    };
    check("variables", table::all().flat_map(Spec::variables).collect());
    check("keys", table::all().filter_map(Spec::toml).map(str::to_owned).collect());
}

#[test]
fn clap_takes_the_table() {
    flags::clap().debug_assert();
}

#[test]
fn arguments_that_exclude_each_other_are_refused() {
    let check = |command_line: &str, named: &str| {
        let said = try_resolve(command_line, &[], None).expect_err(command_line);
        assert!(said.contains("cannot be used with") && said.contains(named), "{said}");
    };
    check("listen room --signed x--y", "STREAM");
    check("listen --signed x--y --public", "--public");
    check("sign room --verify x--y", "STREAM");
    check("sign --verify x--y --tag", "--tag");
    check("sign --verify x--y --expires-in 1h", "--expires-in");
}

#[test]
fn the_documentation_is_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/options.md");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == docs::markdown(), "run `forebay options > docs/options.md`");
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let file = "[history]\nlimit = 5\n";
    let variable = [("FOREBAY_HISTORY_LIMIT", "6")];
    let check = |command_line: &str, variables: &[_], file, expected, origin: Origin| {
        let settings = settings(command_line, variables, file);
        let actual = (settings.number(Id::HistoryLimit), settings.origin(Id::HistoryLimit));
        assert_eq!(actual, (Some(expected), &origin));
    };
    check("serve", &[], "", 1000, Origin::Default);
    check("serve", &[], file, 5, Origin::File { name: "forebay.toml".into(), line: 2 });
    check("serve", &variable, file, 6, Origin::Variable("FOREBAY_HISTORY_LIMIT".into()));
    check("serve --history-limit 7", &variable, file, 7, Origin::Flag("history-limit".into()));
}

#[test]
fn anycables_names_are_understood() {
    let check = |command_line: &str, variables: &[_], id, expected| {
        assert_eq!(settings(command_line, variables, "").number(id), Some(expected));
    };
    check("serve --history_limit=7", &[], Id::HistoryLimit, 7);
    check("serve --max-conn 7", &[], Id::MaxConn, 7);
    check("serve --http_broadcast_port=9", &[], Id::BroadcastPort, 9);
    check("serve", &[("ANYCABLE_HISTORY_TTL", "300")], Id::HistoryTtl, 300_000);
    check("serve", &[("ANYCABLE_PORT", "7"), ("PORT", "8")], Id::Port, 7);
    check("serve", &[("PORT", "8")], Id::Port, 8);
    let all = settings("serve --public_streams", &[("ANYCABLE_SECRET", "x")], "");
    assert_eq!(all.list(Id::PublicStreams), ["*"]);
    assert_eq!(all.text(Id::Secret), Some("x"));
    let none = settings("serve --public_streams=false --secret none", &[], "secret = \"x\"");
    assert_eq!(none.list(Id::PublicStreams), [""; 0]);
    assert_eq!(none.text(Id::Secret), None);
}

#[test]
fn what_anycable_alone_can_do_is_a_warning() {
    let variables = [
        ("ANYCABLE_RPC_HOST", "localhost:50051"),
        ("ANYCABLE_BROADCAST_ADAPTER", "http"),
        ("ANYCABLE_DEBUGGING", "1"),
        ("ANYCABLE_BROKER", ""),
    ];
    let flags = "serve --redis_url redis://localhost --norpc --sse --secret=x";
    let resolved = try_resolve(flags, &variables, None).unwrap();
    let expected = ["ANYCABLE_RPC_HOST is", "ANYCABLE_DEBUGGING", "--redis_url is", "--sse is"];
    assert_eq!(resolved.warnings.len(), expected.len(), "{:?}", resolved.warnings);
    for (warning, expected) in resolved.warnings.iter().zip(expected) {
        assert!(warning.contains(expected), "{warning}");
    }
    assert_eq!(resolved.settings.text(Id::Secret), Some("x"));
}

/// Without what they ask for everybody would connect, or could listen in.
#[test]
fn what_promises_security_and_is_not_served_stops_the_start() {
    let check = |flags: &str, variable: (&str, &str), name: &str| {
        let expected = format!("{name}: this option of AnyCable's is not supported, and nothing");
        refuse(&format!("serve --secret=x {flags}"), &[variable], "", &[&expected]);
    };
    for name in ["ENFORCE_JWT", "JWT_ID_ENFORCE"] {
        let name = format!("ANYCABLE_{name}");
        check("", (&name, "1"), &name);
    }
    for name in ["JWT_SECRET", "JWT_PARAM", "JWT_ID_KEY", "JWT_ID_PARAM", "SSL_CERT", "SSL_KEY"] {
        let name = format!("ANYCABLE_{name}");
        check("", (&name, "some text"), &name);
    }
    check("--enforce_jwt", ("A", "b"), "--enforce_jwt");
    check("--jwt_secret=qwerty", ("A", "b"), "--jwt_secret");
    check("--ssl-cert cert.pem --ssl-key key.pem", ("A", "b"), "--ssl-key");
    check("--noauth=false", ("A", "b"), "--noauth");
    let off = [("ANYCABLE_ENFORCE_JWT", "false"), ("ANYCABLE_JWT_SECRET", "none")];
    let resolved = try_resolve("serve --secret=x --noauth", &off, None).unwrap();
    assert_eq!(resolved.warnings, [""; 0]);
}

#[test]
fn variables_of_kubernetes_services_are_no_options() {
    for service in ["", "CABLE_", "BROADCAST_", "A_PORT_OF_2_"] {
        let variable =
            |rest: &str, value: &'static str| (format!("FOREBAY_{service}{rest}"), value);
        let variables = [
            variable("PORT", "tcp://10.0.0.1:8080"),
            variable("PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            variable("PORT_8080_TCP_ADDR", "10.0.0.1"),
            variable("PORT_8080_TCP_PORT", "8080"),
            variable("PORT_53_UDP_PROTO", "udp"),
            variable("SERVICE_HOST", "10.0.0.1"),
            variable("SERVICE_PORT", "8080"),
            variable("SERVICE_PORT_HTTP_WEB", "8080"),
        ];
        let variables: Vec<_> = variables.iter().map(|(name, v)| (name.as_str(), *v)).collect();
        assert_eq!(settings("serve", &variables, "").port(Id::Port), Some(8080), "{service}");
    }
    for mistake in ["FOREBAY_CABLE_PORT", "FOREBAY_PORT_8080", "FOREBAY_PORT_8080_TCP_HOST"] {
        refuse(
            "serve",
            &[(mistake, "8080")],
            "",
            &[&format!("{mistake}: there is no such option")],
        );
    }
}

#[test]
fn where_the_platform_says_the_port_every_address_is_listened_at() {
    let check = |flags: &str, variables: &[_], file, expected: &str, origin: Origin| {
        let settings = settings(&format!("serve {flags}"), variables, file);
        assert_eq!((settings.text(Id::Host), settings.origin(Id::Host)), (Some(expected), &origin));
    };
    let platform = ("PORT", "5000");
    let line = Origin::File { name: "forebay.toml".into(), line: 1 };
    check("", &[platform], "", "0.0.0.0", Origin::Variable("PORT".into()));
    check("", &[platform], "host = \"::1\"", "::1", line);
    check("--host localhost", &[platform], "", "localhost", Origin::Flag("host".into()));
    check("--port 1", &[platform], "", "localhost", Origin::Default);
    check("", &[("FOREBAY_PORT", "5000")], "", "localhost", Origin::Default);
}

/// The error says each of these, and nothing starts.
#[track_caller]
fn refuse(command_line: &str, variables: &[(&str, &str)], file: &str, expected: &[&str]) {
    let error = try_resolve(command_line, variables, Some(file)).unwrap_err();
    for expected in expected {
        assert!(error.contains(expected), "no {expected:?} in:\n{error}");
    }
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    refuse(
        "serve --prot 8080",
        &[],
        "",
        &["--prot: `forebay serve` has no such option; did you mean --port?"],
    );
    refuse(
        "serve --count 3",
        &[],
        "",
        &["--count: `forebay serve` has no such option; `forebay listen` has it"],
    );
    refuse(
        "serve",
        &[("FOREBAY_HISTROY_LIMIT", "3")],
        "",
        &["FOREBAY_HISTROY_LIMIT: there is no such option; did you mean FOREBAY_HISTORY_LIMIT?"],
    );
    refuse(
        "serve",
        &[],
        "port = 1\n\n[history]\nlimt = 3\n",
        &["forebay.toml:4: there is no option `history.limt`; did you mean history.limit?"],
    );
    refuse(
        "serve",
        &[],
        "[histroy]\nlimit = 3\n",
        &["forebay.toml:1: there is no option `histroy`; did you mean history?"],
    );
}

#[test]
fn bad_values_name_the_option_where_it_was_set_and_what_is_allowed() {
    let check = |flag: &str, expected: &str| {
        refuse(&format!("serve {flag}"), &[], "", &[expected]);
    };
    check("--port 99999", r#"--port: "99999": expected a port: a number from 0 to 65535"#);
    check("--history-limit 0", "expected a number from 1 to 4294967295");
    check("--history-ttl 5y", "expected a duration from 1s to 30d");
    check("--max-message-size 1GiB", "expected a number of bytes from 1KiB to 16MiB");
    check("--path cable", "expected a path such as /cable");
    check("--path /{id}", "expected a path such as /cable");
    check("--log-format xml", "expected one of text, json");
    check("--public=maybe", "expected true or false");
    check("--allowed-origins https://", "expected origins such as https://example.com");
    refuse("listen --url http://a x", &[], "", &["begins with ws:// or wss://"]);
    refuse("serve", &[("PORT", "x")], "", &[r#"PORT: "x": expected a port"#]);
    refuse(
        "serve",
        &[],
        "port = 1.5",
        &["forebay.toml:1: `port` can't be a number with a fraction"],
    );
    refuse("serve", &[], "host = 5", &[r#"forebay.toml:1: "5": expected a text"#]);
    refuse("serve", &[], "port = ", &["forebay.toml:1: "]);
    refuse("serve --config other.toml", &[], "", &["--config: other.toml: "]);
}

#[test]
fn secrets_are_not_shown_in_errors() {
    let error = try_resolve("serve", &[], Some("secret = 31337")).unwrap_err();
    assert!(
        error.contains("forebay.toml:1: expected a text") && !error.contains("31337"),
        "{error}"
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    refuse(
        "serve --prot 8080 --hots=x --log-level loud",
        &[("FOREBAY_SECERT", "x"), ("FOREBAY_HISTORY_TTL", "soon")],
        "unknown = 1\n[log]\nformat = \"xml\"\n",
        &[
            "--prot: ",
            "--hots: ",
            "--log-level: ",
            "FOREBAY_SECERT: ",
            "FOREBAY_HISTORY_TTL: ",
            "forebay.toml:1: ",
            "forebay.toml:3: ",
        ],
    );
}

#[test]
fn values_have_units() {
    let check = |flag: &str, id, expected| {
        assert_eq!(
            settings(&format!("serve {flag}"), &[], "").number(id),
            Some(expected),
            "{flag}"
        );
    };
    check("--history-ttl 90", Id::HistoryTtl, 90_000);
    check("--history-ttl 1500ms", Id::HistoryTtl, 1_500);
    check("--history-ttl 2h", Id::HistoryTtl, 7_200_000);
    check("--history-bytes 65536", Id::HistoryBytes, 65_536);
    check("--history-bytes 2MiB", Id::HistoryBytes, 2 << 20);
    check("--history-bytes 2mb", Id::HistoryBytes, 2 << 20);
}

#[test]
fn lists_are_arrays_or_separated_by_commas_or_several_flags() {
    let check = |command_line: &str, variables: &[_], file| {
        let settings = settings(command_line, variables, file);
        assert_eq!(settings.list(Id::PublicStreams), ["a", "b/*"]);
    };
    check("serve --public-streams a,b/*", &[], "");
    check("serve --public-streams a --public-streams b/*", &[], "");
    check("serve", &[("FOREBAY_PUBLIC_STREAMS", "a, b/*,")], "");
    check("serve", &[], "public_streams = [\"a\", \"b/*\"]");
}

#[test]
fn the_printed_configuration_can_be_read_again_and_holds_no_secret() {
    let flags = "serve --secret swordfish --port 3 --public-streams a,b --history-ttl 90";
    let printed = print(&settings(flags, &[], ""));
    assert!(!printed.contains("swordfish"), "{printed}");
    assert!(printed.contains("port = 3 # --port\n"), "{printed}");
    assert!(printed.contains("# secret = \"…\" # --secret\n"), "{printed}");
    let again = settings("serve", &[], &printed);
    assert_eq!(again.port(Id::Port), Some(3));
    assert_eq!(again.list(Id::PublicStreams), ["a", "b"]);
    assert_eq!(again.number(Id::HistoryTtl), Some(90_000));
}
