package tables

// The columns of tables about web servers.
var (
	site    = Column{Name: "site", Type: lowCardinality, Codec: zstd, Comment: "virtual host, or the service where the log names none"}
	visitor = Column{Name: "visitor", Type: "UInt64", Codec: zstd, Comment: "hash of tenant, site, client and user agent"}
	client  = Column{Name: "client", Type: "String", Codec: zstd, Comment: "address that requests are from; behind trusted proxies the one that they forward"}
	country = Column{Name: "country", Type: lowCardinality, Codec: zstd, Comment: "ISO 3166-1 code of the client's country, empty if it is not known"}
	webUser = Column{Name: "user", Type: lowCardinality, Codec: zstd, Comment: "whom the server authenticated"}
	browser = Column{Name: "browser", Type: lowCardinality, Codec: zstd, Comment: "family of the browser, such as Firefox"}
	system  = Column{Name: "system", Type: lowCardinality, Codec: zstd, Comment: "family of the operating system, such as Linux"}
	bot     = Column{Name: "bot", Type: lowCardinality, Codec: zstd, Comment: "name of a crawler or tool, empty for people"}
)

// word is a column of a text of which there are few.
func word(name, comment string) Column {
	return Column{Name: name, Type: lowCardinality, Codec: zstd, Comment: comment}
}

// freeText is a column of a text of which there may be many.
func freeText(name, comment string) Column {
	return Column{Name: name, Type: "String", Codec: zstd, Comment: comment}
}

// count is a column of a number of things that belong to a row.
func count(name, comment string) Column {
	return Column{Name: name, Type: "UInt32", Codec: "T64, ZSTD(1)", Comment: comment}
}

// nanosecond is a column of a time.
func nanosecond(name, comment string) Column {
	return Column{Name: name, Type: timestamp, Codec: deltaZSTD, Comment: comment}
}

func webHits() Table {
	return Table{
		Name:    WebHits,
		Comment: "requests that web servers logged, one row each",
		Columns: recompressed(columns(
			tenant, bucket, site,
			nanosecond("time", "when the server logged the request"),
			service,
			Column{
				Name: "host_name", Type: lowCardinality, Codec: zstd,
				Comment: "resource attribute host.name: the web server",
			},
			client, visitor, country, word("city", "city of the client, empty without data for cities"),
			Column{Name: "latitude", Type: "Float32", Codec: zstd, Comment: "of the city, or the country's centre, in degrees; 0 if it is not known"},
			Column{Name: "longitude", Type: "Float32", Codec: zstd, Comment: "as latitude"},
			webUser,
			word("method", "method of HTTP, empty where the request line could not be read"),
			freeText("path", "what was asked for, without the query"),
			freeText("query", "the query behind the path"),
			word("route", "the path with ids folded"),
			word("protocol", "version of HTTP, such as HTTP/1.1"),
			Column{Name: "status", Type: "UInt16", Codec: zstd, Comment: "status code of the answer"},
			Column{Name: "sent", Type: "Int64", Codec: zstd, Comment: "size of the answer in bytes, -1 if it was not logged"},
			Column{Name: "duration_ns", Type: "Int64", Codec: zstd, Comment: "how long the answer took in nanoseconds, -1 if it was not logged"},
			Column{Name: "asset", Type: "Bool", Codec: zstd, Comment: "whether it belongs to a page: an image, a style, a script, a font"},
			freeText("referrer", "page that led there, as the client said"),
			word("referrer_host", "host of the referrer"),
			freeText("keywords", "what was searched for at the referrer"),
			word("user_agent", "what the client says that it is"),
			browser, system, bot,
			word("tls", "version of TLS, empty without or if it was not logged"),
			word("cache", "what the server's cache did, such as HIT"),
			traceID, retention, origin,
		)),
		Indexes: []Index{
			{"client", "client", "bloom_filter(0.01)", 1},
		},
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "bucket", "site", "time"},
		TTL:         ttlByTime,
		Recompress:  zstdMore,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}

func webSessions() Table {
	return Table{
		Name:    WebSessions,
		Comment: "visits: the requests of a visitor without a pause of half an hour, one row each",
		Columns: columns(
			tenant, bucket, site,
			nanosecond("time", "first request"), nanosecond("end_time", "last request"),
			visitor, client, country, webUser, browser, system, bot,
			word("referrer_host", "host of the referrer of the first page"),
			freeText("entry", "path of the first page"), freeText("exit", "path of the last page"),
			count("hits", "requests"), count("pages", "requests for pages; one is a bounce"),
			count("failures", "requests answered 4xx"), count("errors", "requests answered 5xx"),
			Column{Name: "sent", Type: "Int64", Codec: zstd, Comment: "bytes of all answers"},
			retention, origin,
		),
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "bucket", "site", "time"},
		TTL:         ttlByTime,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}

func findings() Table {
	return Table{
		Name: Findings,
		Comment: "what somebody does who means harm: a row when it is found, more as it goes on, and one when it is over; " +
			"of the rows of an id and a partition the one with the greatest hits says most, and the partitions add up",
		Columns: columns(
			tenant,
			nanosecond("time", "last request that it is made of, as of the row"),
			Column{Name: "id", Type: "UInt64", Codec: zstd, Comment: "the same for all rows about one thing"},
			word("kind", "what it is, such as sql_injection or request_flood"),
			freeText("actor", "who does it: an address, a network, or many"),
			word("site", "virtual host or service that it is done to"),
			freeText("subject", "what of the site: a path, an account, a tool"),
			nanosecond("first_time", "first request that it is made of"),
			counter("hits", "requests"), counter("clients", "addresses"),
			Column{Name: "confidence", Type: "Float64", Codec: zstd, Comment: "from 0 to 1"},
			counter("harmless", "requests of the same actor that were not part of it: what a block would have cost"),
			freeText("reason", "what was seen, for a person"),
			Column{Name: "evidence", Type: "Array(String)", Codec: zstd, Comment: "requests as lines of the combined log format"},
			Column{Name: "over", Type: "Bool", Codec: zstd, Comment: "whether it has ended"},
			retention, origin,
		),
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "time", "id"},
		TTL:         ttlByTime,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}
