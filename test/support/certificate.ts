/**
 * A certificate for `localhost`, 127.0.0.1 and ::1 that nobody has signed but itself, and its key; for
 * tests only. Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
 * -days 36500 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1`.
 */
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBrzCCAVSgAwIBAgIULPyrGgtTs7Zh3k/wjMJA9Ho7/WowCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODIxMDcxMloYDzIxMjYxMTA0
MjEwNzEyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQOAGaDQOnNypN/zI6ijqR9PcTHPEzJxZdYNsF5Vu/te0bfNoaXxZKI
E5AJEri8ZbjXioKlZZsTcATwu245IQOxo4GBMH8wHQYDVR0OBBYEFPJp1JtVdHkE
EZFFxCeUDJpul0vvMB8GA1UdIwQYMBaAFPJp1JtVdHkEEZFFxCeUDJpul0vvMA8G
A1UdEwEB/wQFMAMBAf8wLAYDVR0RBCUwI4IJbG9jYWxob3N0hwR/AAABhxAAAAAA
AAAAAAAAAAAAAAABMAoGCCqGSM49BAMCA0kAMEYCIQCla7Ot6mG19lyFm+EB//yY
UCIXZmVyMMVcy+JbfSIvngIhAMwQTX+n7Xq5qWD1ZcjTtdaxnt0P/AgpQlJdQwrK
bpLz
-----END CERTIFICATE-----
`;

export const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNDqKIBuQALvcc3R3
kB6j2DIQu+F94Nk8QksnW9zbukmhRANCAAQOAGaDQOnNypN/zI6ijqR9PcTHPEzJ
xZdYNsF5Vu/te0bfNoaXxZKIE5AJEri8ZbjXioKlZZsTcATwu245IQOx
-----END PRIVATE KEY-----
`;
