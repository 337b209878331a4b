package injection

// class is what a word of SQL is for.
type class uint8

const (
	other class = iota
	joins       // and, or
	union
	selects
	from
	orders // order, group
	by
	verb    // begins a statement of its own
	object  // what create, alter and drop are about
	having  // and what else a comparison follows
	compare // like, between
	waitfor
	delay
	into
	common  // a function whose name is an English word
	special // a function that is seen in attacks only
	system  // a table or a procedure of the database itself
	null
	filler // all, distinct, not: what may stand between the others
)

// classOf are the words of SQL that matter here, in lower case.
var classOf = func() map[string]class {
	t := map[string]class{}
	for c, list := range map[class][]string{
		joins:   {"and", "or", "xor", "div"},
		union:   {"union", "intersect", "except"},
		selects: {"select"},
		from:    {"from"},
		orders:  {"order", "group"},
		by:      {"by"},
		verb:    {"insert", "update", "delete", "drop", "truncate", "create", "alter", "exec", "execute", "declare", "shutdown", "merge", "grant", "begin", "call", "copy", "set"},
		object:  {"table", "database", "user", "role", "login", "procedure", "function", "schema", "trigger", "view", "index"},
		having:  {"having", "where", "limit", "when"},
		compare: {"like", "between", "rlike", "regexp", "is", "in", "sounds", "glob", "ilike"},
		waitfor: {"waitfor"}, delay: {"delay", "time"},
		into: {"into"},
		common: {
			"count", "concat", "char", "chr", "version", "database", "user", "substring", "substr", "ascii", "cast", "convert", "if", "length", "len", "min", "max",
			"mid", "left", "right", "lower", "upper", "hex", "unhex", "ord", "replace", "reverse", "round", "floor", "rand", "md5", "sha1", "sum", "avg", "coalesce",
			"ifnull", "nullif", "trim", "exists", "row", "values", "abs", "bin", "elt", "field", "name", "password", "quote", "space", "system_user", "session_user",
		},
		special: {
			"sleep", "benchmark", "pg_sleep", "extractvalue", "updatexml", "load_file", "randomblob", "group_concat", "concat_ws", "xmltype", "dbms_pipe", "dbms_lock",
			"utl_inaddr", "utl_http", "utl_file", "ctxsys", "char_length", "make_set", "db_name", "object_id", "col_length", "has_dbaccess", "is_srvrolemember",
			"current_user", "current_database", "pg_read_file", "lo_import", "load_extension", "iif", "string_agg", "array_agg", "xmlelement", "dbms_utility",
			"regexp_substring", "generate_series", "json_keys", "json_extract", "json_value", "sqlite_version", "likelihood", "unistr", "jsonb_pretty", "json_build_object", "polygon", "multipoint", "linestring", "geometrycollection", "name_const", "procedure analyse",
			"openrowset", "opendatasource", "openquery", "fn_listextendedproperty", "get_host_address", "receive_message", "getmappingxpath", "drithsx", "analyse",
		},
		system: {
			"information_schema", "sysobjects", "syscolumns", "sysusers", "sysdatabases", "sqlite_master", "sqlite_schema", "pg_catalog", "pg_user", "pg_shadow", "pg_class",
			"msysaccessobjects", "all_tables", "user_tables", "all_users", "sysibm", "syscat", "sysmaster", "systables", "domain.domains", "dual", "xp_cmdshell", "xp_regread",
			"xp_dirtree", "sp_executesql", "sp_oacreate", "sp_password", "sp_addextendedproc", "sp_makewebtask", "outfile", "dumpfile", "table_name", "table_schema",
			"column_name", "schemata", "syslogins", "master", "tabname", "v$version", "nvarchar", "varchar", "sysdummy1", "rdb$",
		},
		null:   {"null", "true", "false"},
		filler: {"all", "distinct", "not", "top", "binary"},
	} {
		for _, w := range list {
			t[w] = c
		}
	}
	return t
}()

// casting are the types that PostgreSQL's :: is followed by.
var casting = set("int integer bigint text varchar json jsonb bool boolean numeric double float date xml")

// longestWord is the length of the longest word.
const longestWord = 24
