//! Command lines as a user types them. Error lines and the usage text are those of nsqd 1.3.0, but
//! for flags that Go NSQ does not have.

use std::ffi::OsString;
use std::time::Duration;

use nsq_app::LogLevel;
use nsq_app::flags::{self, CommandLine, FlagError, FlagSet, IgnoredNumber};

nsq_app::flags! {
    /// One flag of each type nsqd has.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Options {
        /// address to listen on for HTTP clients
        /// (<addr>:<port> for TCP/IP or <path> for unix socket)
        "http-address" => http_address: String = "0.0.0.0:4151".to_owned();
        /// path to store disk-backed messages
        "data-path" => data_path: String = String::new();
        /// unique part for message IDs
        "node-id", key "id" => node_id: i64 = 0;
        /// number of messages to keep in memory (per topic/channel)
        "mem-queue-size" => mem_queue_size: usize = 10_000;
        /// duration of time per diskqueue fsync
        "sync-timeout" => sync_timeout: Duration = Duration::from_secs(2);
        /// lookupd TCP address (may be given multiple times)
        "lookupd-tcp-address" => nsqlookupd_tcp_addresses: Vec<String> = Vec::new();
        /// percentiles
        "e2e-processing-latency-percentile", key "e2e_processing_latency_percentiles"
            => latency_percentiles: Vec<f64> = Vec::new();
        /// set log verbosity: debug, info, warn, error, or fatal
        "log-level" => log_level: LogLevel = LogLevel::Info;
        /// enable snappy feature negotiation (client compression)
        "snappy" => snappy: bool = true;
        /// print version string
        "version", no key => version: bool = false;
        /// deprecated
        "worker-id", no key, without effect "deprecated"
            => worker_id: IgnoredNumber = IgnoredNumber;
        /// goroutines
        "queue-scan-worker-pool-max", without effect "nothing is scanned"
            => queue_scan_worker_pool_max: u64 = 4;
    }
}

fn read(arguments: &[&str]) -> Result<CommandLine<Options>, FlagError> {
    flags::parse(arguments.iter().map(OsString::from))
}

fn check(arguments: &[&str], expected: Options, expected_rest: &[&str]) {
    let line = read(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    assert_eq!(line.options, expected, "{arguments:?}");
    assert_eq!(line.rest, expected_rest, "{arguments:?}");
}

fn check_refused(arguments: &[&str], first_line: &str) {
    let error = read(arguments).expect_err(first_line);
    assert_eq!(error.to_string(), first_line, "{arguments:?}");
    assert_eq!(error.exit_code(), 2, "{arguments:?}");
}

#[test]
fn forms_of_flags_and_values() {
    let defaults = Options::default;
    check(&[], defaults(), &[]);
    for form in [
        ["-mem-queue-size=5", "-version"].as_slice(),
        &["--mem-queue-size=5", "--version"],
        &["-mem-queue-size", "5", "-version=true"],
        &["--mem-queue-size", "5", "--version=T"],
        &["-mem-queue-size=7", "--mem-queue-size", "0b1_01", "-version"],
    ] {
        check(form, Options { mem_queue_size: 5, version: true, ..defaults() }, &[]);
    }
    let empty = || Options { http_address: String::new(), ..defaults() };
    check(&["-http-address="], empty(), &[]);
    check(&["-http-address", ""], empty(), &[]);
    check(&["-http-address=a=b"], Options { http_address: "a=b".into(), ..defaults() }, &[]);
    // What follows is the value even if it looks like a flag.
    check(&["-http-address", "-x"], Options { http_address: "-x".into(), ..defaults() }, &[]);
    check(&["-snappy=false"], Options { snappy: false, ..defaults() }, &[]);
    check(&["-log-level=DEBUG"], Options { log_level: LogLevel::Debug, ..defaults() }, &[]);
    check(
        &["-sync-timeout", "1h30m2.5s"],
        Options { sync_timeout: Duration::from_millis(5_402_500), ..defaults() },
        &[],
    );
}

#[test]
fn lists_collect() {
    check(
        &[
            "-lookupd-tcp-address=a:1,b:2",
            "--lookupd-tcp-address",
            "c:3",
            "-e2e-processing-latency-percentile=0.5,1.0",
            "-e2e-processing-latency-percentile=0.99",
        ],
        Options {
            nsqlookupd_tcp_addresses: vec!["a:1,b:2".into(), "c:3".into()],
            latency_percentiles: vec![1.0, 0.99, 0.5],
            ..Options::default()
        },
        &[],
    );
}

#[test]
fn reading_stops_where_go_stops() {
    check(
        &["-snappy", "false", "-nosuch"],
        Options { snappy: true, ..Options::default() },
        &["false", "-nosuch"],
    );
    check(&["-", "-version"], Options::default(), &["-", "-version"]);
    check(&["--", "-version"], Options::default(), &["-version"]);
    check(&["", "-version"], Options::default(), &["", "-version"]);
}

#[test]
fn errors_have_gos_first_line() {
    for (arguments, first_line) in [
        (["-nosuch"].as_slice(), "flag provided but not defined: -nosuch"),
        (&["--nosuch=1"], "flag provided but not defined: -nosuch"),
        (&["-Snappy"], "flag provided but not defined: -Snappy"),
        (&["-snap"], "flag provided but not defined: -snap"),
        (&["-http-address"], "flag needs an argument: -http-address"),
        (&["---x"], "bad flag syntax: ---x"),
        (&["-=x"], "bad flag syntax: -=x"),
        (&["--=x"], "bad flag syntax: --=x"),
        (&["-sync-timeout=5"], "invalid value \"5\" for flag -sync-timeout: parse error"),
        (&["-sync-timeout="], "invalid value \"\" for flag -sync-timeout: parse error"),
        (&["-mem-queue-size=1e3"], "invalid value \"1e3\" for flag -mem-queue-size: parse error"),
        (
            &["-node-id=99999999999999999999"],
            "invalid value \"99999999999999999999\" for flag -node-id: value out of range",
        ),
        (&["-snappy=no"], "invalid boolean value \"no\" for -snappy: parse error"),
        (&["-snappy="], "invalid boolean value \"\" for -snappy: parse error"),
        (
            &["-log-level=warning"],
            "invalid value \"warning\" for flag -log-level: \
             invalid log level 'warning' (debug, info, warn, error, fatal)",
        ),
        (&["-http-address"], "flag needs an argument: -http-address"),
    ] {
        check_refused(arguments, first_line);
    }
}

#[test]
fn an_old_worker_id_does_not_swallow_the_rest_of_the_line() {
    let expected = || Options { node_id: 7, ..Options::default() };
    for arguments in [
        ["--worker-id", "--node-id=7"].as_slice(),
        &["--worker-id=5", "--node-id=7"],
        &["--worker-id", "5", "--node-id=7"],
        &["--node-id=7", "--worker-id", "5"],
    ] {
        check(arguments, expected(), &[]);
    }
    check(&["--node-id=7", "--worker-id", "x"], expected(), &["x"]);
}

#[test]
fn what_is_given_in_vain_is_warned_of() {
    for (arguments, expected) in [
        (["-node-id=1"].as_slice(), [].as_slice()),
        (&["-worker-id=1"], &["--worker-id has no effect: deprecated"]),
        (
            &["-queue-scan-worker-pool-max=1"],
            &["--queue-scan-worker-pool-max has no effect: nothing is scanned"],
        ),
        (
            &["-snappy", "false", "-x"],
            &["ignored on the command line, for it is no flag: false -x"],
        ),
        (&["--", "a"], &["ignored on the command line, for it is no flag: a"]),
    ] {
        let settings = read(arguments).expect("understood").settings("").expect("no file");
        assert_eq!(settings.warnings, expected, "{arguments:?}");
    }
}

#[test]
fn help_and_bad_percentiles_have_their_own_exit_codes() {
    for arguments in [["-h"], ["--help"], ["-help=x"]] {
        let error = read(&arguments).expect_err("help was asked for");
        assert_eq!((error.clone(), error.exit_code()), (FlagError::HelpAsked, 0));
    }
    let error = read(&["-e2e-processing-latency-percentile=abc"]).expect_err("not a number");
    assert_eq!((error.to_string().as_str(), error.exit_code()), ("Could not parse: abc", 1));
}

#[test]
fn arguments_that_are_not_text_are_refused() {
    use std::os::unix::ffi::OsStringExt;
    let argument = OsString::from_vec(b"-http-address=\xff".to_vec());
    let error = flags::parse::<Options>([argument]).expect_err("not text");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn usage_is_gos() {
    let mut shown = Vec::new();
    flags::explain::<Options>("nsqd", &FlagError::HelpAsked, &mut shown).expect("a Vec takes all");
    let expected = "\
Usage of nsqd:
  -data-path string
    \tpath to store disk-backed messages
  -e2e-processing-latency-percentile value
    \tpercentiles
  -http-address string
    \taddress to listen on for HTTP clients (<addr>:<port> for TCP/IP or <path> for unix socket) \
(default \"0.0.0.0:4151\")
  -log-level value
    \tset log verbosity: debug, info, warn, error, or fatal (default INFO)
  -lookupd-tcp-address value
    \tlookupd TCP address (may be given multiple times)
  -mem-queue-size int
    \tnumber of messages to keep in memory (per topic/channel) (default 10000)
  -node-id int
    \tunique part for message IDs
  -queue-scan-worker-pool-max int
    \tgoroutines (default 4)
  -snappy
    \tenable snappy feature negotiation (client compression) (default true)
  -sync-timeout duration
    \tduration of time per diskqueue fsync (default 2s)
  -version
    \tprint version string
  -worker-id
    \tdeprecated
";
    assert_eq!(String::from_utf8(shown).expect("UTF-8"), expected);
}

#[test]
fn an_error_is_one_line_and_where_to_look() {
    let mut shown = Vec::new();
    let error = FlagError::NotDefined("x".into());
    flags::explain::<Options>("nsqd", &error, &mut shown).expect("a Vec takes all");
    let expected = "flag provided but not defined: -x\nrun 'nsqd --help' for the flags\n";
    assert_eq!(String::from_utf8(shown).expect("UTF-8"), expected);
}

#[test]
fn configuration_keys_come_from_the_declaration() {
    let keys: Vec<_> = Options::FLAGS.iter().map(|flag| (flag.name, flag.config_key)).collect();
    assert!(keys.contains(&("mem-queue-size", Some("mem_queue_size"))));
    assert!(keys.contains(&("node-id", Some("id"))));
    assert!(keys.contains(&("lookupd-tcp-address", Some("nsqlookupd_tcp_addresses"))));
    assert!(keys.contains(&("version", None)));
}
