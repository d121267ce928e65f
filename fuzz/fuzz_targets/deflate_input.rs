#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    nsq_fuzz::compressed::deflate_input(data);
});
