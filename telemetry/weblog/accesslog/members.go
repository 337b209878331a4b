package accesslog

import "strings"

// caddyMember is for the access logs of Caddy 2.
func caddyMember(key string) value {
	if header, ok := strings.CutPrefix(key, "request.headers."); ok {
		return requestHeader(header)
	}
	switch key {
	case "ts":
		return value{field: unixTimeField, unit: second}
	case "request.remote_ip":
		return value{field: clientField, rank: 2}
	case "request.remote_addr":
		return value{field: clientField, rank: 1}
	case "request.proto":
		return value{field: protocolField}
	case "request.method":
		return value{field: methodField}
	case "request.host":
		return value{field: vhostField, rank: 4}
	case "request.uri":
		return value{field: targetField}
	case "request.tls.version":
		return value{field: tlsNumberField}
	case "user_id":
		return value{field: userField}
	case "duration":
		return value{field: durationField, unit: second}
	case "size":
		return value{field: sentField}
	case "status":
		return value{field: statusField}
	}
	return value{}
}

// envoyMember is for Envoy's json_format with the names that Istio gives.
func envoyMember(key string) value {
	switch key {
	case "start_time":
		return value{field: isoTimeField, unit: second}
	case "downstream_remote_address":
		return value{field: clientField, rank: 2}
	case "downstream_direct_remote_address":
		return value{field: clientField, rank: 1}
	case "method":
		return value{field: methodField}
	case "path":
		return value{field: targetField}
	case "protocol":
		return value{field: protocolField}
	case "response_code":
		return value{field: statusField}
	case "bytes_sent":
		return value{field: sentField}
	case "duration":
		return value{field: durationField, unit: millisecond}
	case "x_forwarded_for":
		return value{field: forwardedField}
	case "user_agent":
		return value{field: agentField}
	case "referer":
		return value{field: referrerField}
	case "request_id":
		return value{field: requestIDField}
	case "authority":
		return value{field: vhostField, rank: 2}
	case "requested_server_name":
		return value{field: vhostField, rank: 1}
	case "downstream_tls_version":
		return value{field: tlsField}
	case "scheme":
		return value{field: schemeField}
	case "trace_id":
		return value{field: traceIDField, rank: 2}
	case "traceparent":
		return value{field: traceparentField, rank: 1}
	}
	return value{}
}

// traefikMember is for the access logs of Traefik in JSON.
func traefikMember(key string) value {
	if header, ok := strings.CutPrefix(key, "request_"); ok {
		return requestHeader(header)
	}
	switch key {
	case "StartUTC":
		return value{field: isoTimeField, rank: 2}
	case "time":
		return value{field: isoTimeField, rank: 1}
	case "ClientHost":
		return value{field: clientField, rank: 2}
	case "ClientAddr":
		return value{field: clientField, rank: 1}
	case "ClientUsername":
		return value{field: userField}
	case "RequestMethod":
		return value{field: methodField}
	case "RequestPath":
		return value{field: targetField}
	case "RequestProtocol":
		return value{field: protocolField}
	case "RequestHost":
		return value{field: vhostField, rank: 4}
	case "RequestScheme":
		return value{field: schemeField}
	case "DownstreamStatus":
		return value{field: statusField}
	case "DownstreamContentSize":
		return value{field: sentField}
	case "Duration":
		return value{field: durationField, unit: 1}
	case "TLSVersion":
		return value{field: tlsField}
	case "TraceId":
		return value{field: traceIDField}
	}
	return value{}
}

// nginxMember is for members that are named as the variables of nginx, as people
// do where they write a log_format in JSON.
func nginxMember(key string) value {
	switch key {
	case "time", "timestamp", "@timestamp", "time_iso", "timestamp_iso8601":
		return value{field: isoTimeField, unit: second}
	case "method":
		return value{field: methodField}
	case "http_referrer":
		return value{field: referrerField}
	}
	return nginxVariable(key)
}

// tlsVersion is the name of a version of TLS that Go numbers.
func tlsVersion(number string) string {
	switch number {
	case "769":
		return "TLSv1"
	case "770":
		return "TLSv1.1"
	case "771":
		return "TLSv1.2"
	case "772":
		return "TLSv1.3"
	}
	return number
}
