//! Configuration files: how values of each type read, and what wins over what.

use std::ffi::OsString;
use std::time::Duration;

use nsq_app::flags::{self, ConfigError, Settings, changed_keys};
use nsq_app::{LogFormat, LogLevel};

nsq_app::flags! {
    /// One option of each type.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Options {
        /// text
        "http-address" => http_address: String = "0.0.0.0:4151".to_owned();
        /// signed
        "node-id", key "id" => node_id: i64 = 617;
        /// unsigned
        "mem-queue-size" => mem_queue_size: u64 = 10_000;
        /// duration
        "sync-timeout" => sync_timeout: Duration = Duration::from_secs(2);
        /// list
        "enable-experiment" => enable_experiment: Vec<String> = vec!["default".to_owned()];
        /// percentiles
        "e2e-processing-latency-percentile", key "e2e_processing_latency_percentiles"
            => percentiles: Vec<f64> = vec![0.25];
        /// level
        "log-level" => log_level: LogLevel = LogLevel::Info;
        /// format
        "log-format" => log_format: LogFormat = LogFormat::Text;
        /// boolean
        "statsd-mem-stats" => statsd_mem_stats: bool = true;
        /// no key
        "verbose", no key => verbose: bool = false;
        /// obsolete
        "queue-scan-selection-count", without effect "nothing is scanned"
            => queue_scan_selection_count: u64 = 20;
    }
}

/// What a command line and a file make together; in messages the file is called FILE.
fn load(arguments: &[&str], file: impl AsRef<[u8]>) -> Result<Settings<Options>, String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("nsqd.cfg");
    std::fs::write(&path, file).expect("room for a file");
    let path = path.to_str().expect("UTF-8");
    let line = flags::parse::<Options>(arguments.iter().map(OsString::from)).expect("flags");
    match line.settings(path) {
        Ok(Settings { options, warnings }) => {
            let warnings = warnings.iter().map(|text| text.replace(path, "FILE")).collect();
            Ok(Settings { options, warnings })
        }
        Err(error) => Err(error.to_string().replace(path, "FILE")),
    }
}

#[track_caller]
fn check(file: &str, expected: Options, expected_warnings: &[&str]) {
    let settings = load(&[], file).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(settings.options, expected, "{file}");
    assert_eq!(settings.warnings, expected_warnings, "{file}");
}

#[track_caller]
fn check_refused(file: &str, expected: &str) {
    assert_eq!(load(&[], file), Err(expected.to_owned()), "{file}");
}

fn with(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    change(&mut options);
    options
}

#[test]
fn integers() {
    for (value, expected) in [("5", 5), ("\"5\"", 5), ("0x10", 16), ("1_000", 1000)] {
        check(&format!("mem_queue_size = {value}"), with(|o| o.mem_queue_size = expected), &[]);
        let expected = i64::try_from(expected).expect("small");
        check(&format!("id = {value}"), with(|o| o.node_id = expected), &[]);
    }
    check("id = -1", with(|o| o.node_id = -1), &[]);
    for (value, reason) in [
        ("1.5", "1.5 for id - expected an integer, not a float"),
        ("true", "true for id - expected an integer, not a boolean"),
        ("[1]", "[1] for id - expected an integer, not a list"),
        ("\"0x10\"", "0x10 for id - parse error"),
        ("\"\"", " for id - parse error"),
        ("{ a = 1 }", "{…} for id - expected an integer, not a table"),
    ] {
        check_refused(&format!("id = {value}"), &format!("failed to coerce value {reason}"));
    }
    check_refused(
        "mem_queue_size = -1",
        "failed to coerce value -1 for mem_queue_size - value out of range",
    );
}

#[test]
fn durations() {
    let with = |expected| with(|o| o.sync_timeout = expected);
    check("sync_timeout = 1500", with(Duration::from_millis(1500)), &[]);
    check("sync_timeout = \"1m30s\"", with(Duration::from_secs(90)), &[]);
    check("sync_timeout = 0", with(Duration::ZERO), &[]);
    for (value, reason) in [
        ("-1", "-1 for sync_timeout - value out of range"),
        ("9223372036854775807", "9223372036854775807 for sync_timeout - value out of range"),
        ("\"5\"", "5 for sync_timeout - parse error"),
        ("1.5", "1.5 for sync_timeout - expected a duration such as \"250ms\", not a float"),
        ("false", "false for sync_timeout - expected a duration such as \"250ms\", not a boolean"),
        ("[]", "[] for sync_timeout - expected a duration such as \"250ms\", not a list"),
    ] {
        let reason = format!("failed to coerce value {reason}");
        check_refused(&format!("sync_timeout = {value}"), &reason);
    }
}

#[test]
fn booleans() {
    let with = |expected| with(|o| o.statsd_mem_stats = expected);
    for (value, expected) in [("true", true), ("false", false), ("\"F\"", false), ("\"1\"", true)] {
        check(&format!("statsd_mem_stats = {value}"), with(expected), &[]);
    }
    check(
        "statsd_mem_stats = 1",
        with(true),
        &["FILE: statsd_mem_stats: 1 means true here, while Go NSQ took it for false; write true"],
    );
    check(
        "statsd_mem_stats = 0",
        with(false),
        &["FILE: statsd_mem_stats: 0 means false here, while Go NSQ took it for true; write false"],
    );
    for (value, reason) in [
        ("2", "2 for statsd_mem_stats - expected true or false, not an integer"),
        ("1.0", "1.0 for statsd_mem_stats - expected true or false, not a float"),
        ("[true]", "[true] for statsd_mem_stats - expected true or false, not a list"),
        ("\"yes\"", "yes for statsd_mem_stats - parse error"),
    ] {
        let reason = format!("failed to coerce value {reason}");
        check_refused(&format!("statsd_mem_stats = {value}"), &reason);
    }
}

#[test]
fn strings() {
    for (value, expected) in
        [("\"a b\"", "a b"), ("\"\"", ""), ("4151", "4151"), ("1.5", "1.5"), ("'''x'''", "x")]
    {
        let expected = with(|o| o.http_address = expected.to_owned());
        check(&format!("http_address = {value}"), expected, &[]);
    }
    for (value, kind) in [("true", "a boolean"), ("[\"a\"]", "a list"), ("2026-11-22", "a date")] {
        let shown = value.replace('\'', "\"");
        check_refused(
            &format!("http_address = {value}"),
            &format!(
                "failed to coerce value {shown} for http_address - expected a string, not {kind}"
            ),
        );
    }
}

#[test]
fn lists_of_strings() {
    let with = |expected: &[&str]| {
        with(|o| o.enable_experiment = expected.iter().map(|text| (*text).to_owned()).collect())
    };
    for (value, expected) in [
        ("[\"a,b\", \"c\"]", ["a,b", "c"].as_slice()),
        ("[\"a\", 1, 1.5]", &["a", "1", "1.5"]),
        ("[]", &[]),
        ("\"a, b\"", &["a", " b"]),
        ("\"\"", &[]),
    ] {
        check(&format!("enable_experiment = {value}"), with(expected), &[]);
    }
    for value in ["5", "true", "1.5"] {
        let warning = format!(
            "FILE: enable_experiment: {value} is taken for the empty list, as in Go NSQ; \
             write [{value}] or []"
        );
        check(&format!("enable_experiment = {value}"), with(&[]), &[&warning]);
    }
    for (value, kind) in [("[true]", "a list"), ("[[\"a\"]]", "a list"), ("{ a = 1 }", "a table")] {
        let shown = if kind == "a table" { "{…}" } else { value };
        check_refused(
            &format!("enable_experiment = {value}"),
            &format!(
                "failed to coerce value {shown} for enable_experiment - \
                 expected a list of strings, not {kind}"
            ),
        );
    }
}

#[test]
fn lists_of_numbers_keep_their_order() {
    let key = "e2e_processing_latency_percentiles";
    for (value, expected) in [
        ("[0.5, 0.99]", [0.5, 0.99].as_slice()),
        ("[1, 0.95]", &[1.0, 0.95]),
        ("\"0.5, 1,0.99\"", &[0.5, 1.0, 0.99]),
        ("[]", &[]),
        ("\"\"", &[]),
    ] {
        check(&format!("{key} = {value}"), with(|o| o.percentiles = expected.to_vec()), &[]);
    }
    let warning =
        format!("FILE: {key}: 0.5 is taken for the empty list, as in Go NSQ; write [0.5] or []");
    check(&format!("{key} = 0.5"), with(|o| o.percentiles = Vec::new()), &[&warning]);
    for (value, reason) in [
        ("\"0.5,abc\"", format!("0.5,abc for {key} - parse error")),
        ("[\"a\"]", format!("[\"a\"] for {key} - expected a list of numbers, not a list")),
    ] {
        let reason = format!("failed to coerce value {reason}");
        check_refused(&format!("{key} = {value}"), &reason);
    }
}

#[test]
fn special_types_have_their_own_line() {
    check("log_level = \"WARN\"", with(|o| o.log_level = LogLevel::Warning), &[]);
    check("log_format = \"json\"", with(|o| o.log_format = LogFormat::Json), &[]);
    check_refused("log_level = \"bogus\"", "failed parsing log_level bogus");
    check_refused("log_level = 2", "failed parsing log_level 2");
    check_refused("log_level = true", "failed parsing log_level true");
    check_refused("log_format = \"xml\"", "failed parsing log_format xml");
}

#[test]
fn what_is_no_option_is_warned_of() {
    for (line, warning) in [
        ("nosuch = 1", "FILE: ignoring nosuch: no such option in a file"),
        ("verbose = true", "FILE: ignoring verbose: no such option in a file"),
        ("node_id = 1", "FILE: ignoring node_id: no such option in a file"),
        ("mem-queue-size = 1", "FILE: ignoring mem-queue-size: the key is mem_queue_size"),
        ("[nsqd]\nid = 1", "FILE: ignoring the table [nsqd]: options stand at the top level"),
        ("a.b = 1", "FILE: ignoring the table [a]: options stand at the top level"),
    ] {
        check(line, Options::default(), &[warning]);
    }
    check(
        "queue_scan_selection_count = 5",
        with(|o| o.queue_scan_selection_count = 5),
        &["FILE: queue_scan_selection_count: it has no effect: nothing is scanned"],
    );
}

#[test]
fn files_that_are_no_toml() {
    for (file, expected) in [
        (b"id = 1\nx".as_slice(), "toml: line 2: "),
        (b"a = 1\n\na = 2", "toml: line 3: "),
        (b"id = ", "toml: line 1: "),
        (b"id = 99999999999999999999", "toml: line 1: "),
        (b"# \xff", "toml: line 1: this is not UTF-8"),
    ] {
        let error = load(&[], file).expect_err("no TOML");
        let start = format!("failed to load config file FILE - {expected}");
        assert!(error.starts_with(&start) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn files_that_cannot_be_read() {
    let line = flags::parse::<Options>([]).expect("no flags");
    let error = line.settings("nofile").expect_err("no file");
    assert_eq!(
        error.to_string(),
        "failed to load config file nofile - open nofile: no such file or directory"
    );
    let error = line.settings("/").expect_err("a directory");
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
}

/// One row for each type: a file, a flag, and the two outcomes.
#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    type Row = (&'static str, &'static [&'static str], fn(&mut Options), fn(&mut Options));
    let rows: [Row; 9] = [
        (
            "http_address = \"file\"",
            &["-http-address=flag"],
            |o| o.http_address = "file".into(),
            |o| o.http_address = "flag".into(),
        ),
        ("id = 1", &["-node-id=2"], |o| o.node_id = 1, |o| o.node_id = 2),
        // A flag wins even with the default as its value.
        (
            "mem_queue_size = 1",
            &["-mem-queue-size=10000"],
            |o| o.mem_queue_size = 1,
            |o| o.mem_queue_size = 10_000,
        ),
        (
            "sync_timeout = 1",
            &["-sync-timeout=5s"],
            |o| o.sync_timeout = Duration::from_millis(1),
            |o| o.sync_timeout = Duration::from_secs(5),
        ),
        (
            "enable_experiment = [\"file\"]",
            &["-enable-experiment=a", "-enable-experiment=b"],
            |o| o.enable_experiment = vec!["file".into()],
            |o| o.enable_experiment = vec!["default".into(), "a".into(), "b".into()],
        ),
        (
            "e2e_processing_latency_percentiles = [0.5]",
            &["-e2e-processing-latency-percentile=0.75"],
            |o| o.percentiles = vec![0.5],
            |o| o.percentiles = vec![0.75, 0.25],
        ),
        (
            "log_level = \"debug\"",
            &["-log-level=error"],
            |o| o.log_level = LogLevel::Debug,
            |o| o.log_level = LogLevel::Error,
        ),
        (
            "log_format = \"json\"",
            &["-log-format=text"],
            |o| o.log_format = LogFormat::Json,
            |o| o.log_format = LogFormat::Text,
        ),
        (
            "statsd_mem_stats = false",
            &["-statsd-mem-stats"],
            |o| o.statsd_mem_stats = false,
            |o| o.statsd_mem_stats = true,
        ),
    ];
    for (file, arguments, by_file, by_flag) in rows {
        check(file, with(by_file), &[]);
        let both = load(arguments, file).expect("understood");
        assert_eq!(both, Settings { options: with(by_flag), warnings: Vec::new() }, "{file}");
        let flag_alone = load(arguments, "").expect("understood");
        assert_eq!(flag_alone.options, with(by_flag), "{arguments:?}");
    }
}

#[test]
fn mistakes_in_what_a_flag_overrides_do_not_matter_but_for_special_types() {
    assert!(load(&["-node-id=1"], "id = 1.5").is_ok());
    let error = load(&["-log-level=info"], "log_level = \"bogus\"");
    assert_eq!(error, Err("failed parsing log_level bogus".to_owned()));
}

#[test]
fn changes_are_found_by_key() {
    let changed = with(|o| (o.node_id, o.percentiles, o.verbose) = (1, Vec::new(), true));
    let keys = changed_keys(&Options::default(), &changed);
    assert_eq!(keys, ["id", "e2e_processing_latency_percentiles"]);
}
