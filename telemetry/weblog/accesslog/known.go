package accesslog

import "sync"

// known are the formats that are told apart by the shape of a line alone: no
// line has the shape of two of them. They are compiled when first asked for.
var known = sync.OnceValue(func() []*Format {
	var formats []*Format
	add := func(name string, f *Format, err error) {
		if err != nil {
			panic("accesslog: " + name + ": " + err.Error())
		}
		f.name, f.strict = name, true
		formats = append(formats, f)
	}
	for _, k := range knownTemplates {
		f, err := compileNginx(k.name, k.template, backslashes, knownVariable)
		add(k.name, f, err)
	}
	f, err := envoy(envoyTemplate)
	add("envoy", f, err)
	f, err = envoy(istioTemplate)
	add("istio", f, err)
	f, err = w3c(iisFields)
	add("iis", f, err)
	f, err = w3c(cloudfrontFields)
	f.atLeast = cloudfrontLeast
	add("cloudfront", f, err)
	add("alb", &Format{shape: albShape}, nil)
	for i, d := range dialects {
		add(d.name, &Format{shape: jsonShape, escape: jsonEscapes, dialect: i}, nil)
	}
	return formats
})

const (
	commonTemplate   = `$client $ident $user [$time_local] "$request" $status $body`
	combinedTemplate = commonTemplate + ` "$http_referer" "$http_user_agent"`
	mainTemplate     = combinedTemplate + ` "$http_x_forwarded_for"`
	// ingressTemplate is that of the ingress controller of Kubernetes, and
	// amplifyTemplate what the makers of nginx recommend for their monitoring.
	ingressTemplate = combinedTemplate + ` $number $fraction [$upstream_name] [$upstream_alternative] $upstream_addr ` +
		`$upstream_response_length $upstream_response_time $upstream_status $req_id`
	amplifyTemplate = mainTemplate + ` "$host" sn="$server_name" rt=$request_time ua="$upstream_addr" us="$upstream_status" ` +
		`ut="$upstream_response_time" ul="$upstream_response_length" cs=$upstream_cache_status`
	traefikTemplate = combinedTemplate + ` $number "$router" "$server" ${millis}ms`
)

var knownTemplates = []struct {
	name, template string
}{
	{name: "combined", template: combinedTemplate},
	{name: "common", template: commonTemplate},
	{name: "vhost_combined", template: `$vhost:$port ` + combinedTemplate},
	{name: "vhost_common", template: `$vhost:$port ` + commonTemplate},
	{name: "host_combined", template: `$vhost ` + combinedTemplate},
	{name: "host_common", template: `$vhost ` + commonTemplate},
	{name: "main", template: mainTemplate},
	{name: "combined_time", template: combinedTemplate + ` $fraction`},
	{name: "combined_times", template: combinedTemplate + ` $fraction $numbers`},
	{name: "main_time", template: mainTemplate + ` $fraction`},
	{name: "main_times", template: mainTemplate + ` $fraction $numbers`},
	{name: "ingress", template: ingressTemplate},
	{name: "amplify", template: amplifyTemplate},
	{name: "traefik", template: traefikTemplate},
	// A number alone can be seconds, microseconds or bytes: it is not taken for
	// any of them.
	{name: "combined_number", template: combinedTemplate + ` $number`},
	{name: "common_number", template: commonTemplate + ` $number`},
}

// knownVariable adds to the variables of nginx those that only known formats need.
func knownVariable(name string) value {
	switch name {
	case "client":
		return value{field: clientField}
	case "ident":
		return value{field: identField}
	case "user":
		return value{field: userField}
	case "body":
		return value{field: bodyField}
	case "vhost":
		return value{field: siteField}
	case "port":
		return value{field: portField}
	case "number":
		return value{field: numberField}
	case "numbers":
		return value{field: numbersField, list: true}
	case "fraction":
		return value{field: fractionField, unit: second}
	case "millis":
		return value{field: durationField, unit: millisecond}
	}
	return nginxVariable(name)
}
