package tables

import "strings"

// Promoted attributes have a column with a name and a type of their own. The
// columns are computed when they are read and take no space: as stored columns
// twenty of them cost nearly half more CPU at insert (ADR 4).

// fromResource is a promoted attribute of the resource. It is found once per
// different resource, not once per row.
func fromResource(name, attribute string) Column {
	return Column{
		Name: name, Type: lowCardinality,
		Alias:   "JSON_VALUE(resource, " + QuoteText(`$.attributes."`+attribute+`"`) + ")",
		Comment: "resource attribute " + attribute,
	}
}

// fromText is a promoted attribute of a span that is a text.
func fromText(attribute string) Column {
	return Column{
		Name: columnName(attribute), Type: "String",
		Alias: "attributes[" + QuoteText(attribute) + "]", Comment: "attribute " + attribute,
	}
}

// fromNumber is a promoted attribute of a span that is a number.
func fromNumber(attribute, kind string) Column {
	return Column{
		Name: columnName(attribute), Type: kind,
		Alias: "to" + kind + "(attribute_numbers[" + QuoteText(attribute) + "])", Comment: "attribute " + attribute,
	}
}

// columnName makes http_request_method of http.request.method.
func columnName(attribute string) string { return strings.ReplaceAll(attribute, ".", "_") }

// promoted are attributes of the semantic conventions for spans.
var promoted = []Column{
	fromText("http.request.method"), fromText("http.route"), fromNumber("http.response.status_code", "UInt16"),
	fromText("url.full"), fromText("url.path"), fromText("server.address"), fromText("client.address"),
	fromText("user_agent.original"), fromText("error.type"),
	fromText("rpc.system"), fromText("rpc.service"), fromText("rpc.method"),
	fromText("db.system.name"), fromText("db.namespace"), fromText("db.collection.name"), fromText("db.operation.name"), fromText("db.query.text"),
	fromText("messaging.system"), fromText("messaging.destination.name"), fromText("messaging.operation.name"),
}
