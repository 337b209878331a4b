package prober

// Names of the points that a probe yields. They are those that users of
// blackbox_exporter know, and are given without a unit, so that no translation
// to Prometheus adds a suffix.
const (
	Success     = "probe_success"
	Duration    = "probe_duration_seconds"
	Lookup      = "probe_dns_lookup_time_seconds"
	IPProtocol  = "probe_ip_protocol"
	IPHash      = "probe_ip_addr_hash"
	RegexFailed = "probe_failed_due_to_regex"

	HTTPDuration      = "probe_http_duration_seconds"
	HTTPStatus        = "probe_http_status_code"
	HTTPContentLength = "probe_http_content_length"
	HTTPBodyLength    = "probe_http_uncompressed_body_length"
	HTTPRedirects     = "probe_http_redirects"
	HTTPSSL           = "probe_http_ssl"
	HTTPVersion       = "probe_http_version"
	HTTPLastModified  = "probe_http_last_modified_timestamp_seconds"

	CertEarliestExpiry = "probe_ssl_earliest_cert_expiry"
	CertChainExpiry    = "probe_ssl_last_chain_expiry_timestamp_seconds"
	CertChainInfo      = "probe_ssl_last_chain_info"
	TLSVersionInfo     = "probe_tls_version_info"
	TLSCipherInfo      = "probe_tls_cipher_info"

	TCPDuration = "probe_tcp_duration_seconds"
	TLSDuration = "probe_tls_duration_seconds"

	DNSDuration   = "probe_dns_duration_seconds"
	DNSAnswers    = "probe_dns_answer_rrs"
	DNSAuthority  = "probe_dns_authority_rrs"
	DNSAdditional = "probe_dns_additional_rrs"
	DNSSucceeded  = "probe_dns_query_succeeded"
	DNSSerial     = "probe_dns_serial"

	ICMPDuration = "probe_icmp_duration_seconds"
	ICMPHopLimit = "probe_icmp_reply_hop_limit"

	GRPCDuration = "probe_grpc_duration_seconds"
	GRPCStatus   = "probe_grpc_status_code"
	GRPCSSL      = "probe_grpc_ssl"
	GRPCHealth   = "probe_grpc_healthcheck_response"
)

// Help has one sentence for every name.
var Help = map[string]string{
	Success:     "Whether the probe succeeded: 1 or 0.",
	Duration:    "How long the probe took, in seconds.",
	Lookup:      "How long looking up the target's address took, in seconds; 0 for an address.",
	IPProtocol:  "The IP version that was used: 4 or 6; 0 where no address was found.",
	IPHash:      "A hash of the address that was used; it changes when the address does.",
	RegexFailed: "Whether the probe failed because of a regular expression.",

	HTTPDuration:      "How long each phase took, in seconds, summed over all redirects.",
	HTTPStatus:        "The status code of the last response; 0 where there was none.",
	HTTPContentLength: "The length of the last body as its header says; -1 where it does not.",
	HTTPBodyLength:    "The length of the last body as it was read, without compression.",
	HTTPRedirects:     "How many redirects were followed.",
	HTTPSSL:           "Whether the last response came over TLS.",
	HTTPVersion:       "The version of HTTP of the last response.",
	HTTPLastModified:  "The Last-Modified header of the last response, Unix seconds.",

	CertEarliestExpiry: "When the first of the certificates that the server presented expires, Unix seconds.",
	CertChainExpiry:    "When the last of the verified chains expires, Unix seconds.",
	CertChainInfo:      "The server's own certificate.",
	TLSVersionInfo:     "The version of TLS.",
	TLSCipherInfo:      "The cipher suite of TLS.",

	TCPDuration: "How long each phase took, in seconds.",
	TLSDuration: "How long each phase took, in seconds.",

	DNSDuration:   "How long each phase took, in seconds.",
	DNSAnswers:    "The number of records in the answer section.",
	DNSAuthority:  "The number of records in the authority section.",
	DNSAdditional: "The number of records in the additional section.",
	DNSSucceeded:  "Whether the server answered at all.",
	DNSSerial:     "The serial number of the zone, where SOA was asked for.",

	ICMPDuration: "How long each phase took, in seconds.",
	ICMPHopLimit: "The hop limit, or TTL, of the reply.",

	GRPCDuration: "How long each phase took, in seconds.",
	GRPCStatus:   "The gRPC status code of the health check.",
	GRPCSSL:      "Whether the connection used TLS.",
	GRPCHealth:   "The serving status: 1 for the one that was answered.",
}
