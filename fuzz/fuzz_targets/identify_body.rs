#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    nsq_fuzz::bodies::identify_body(data);
});
