package sql

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// The guard looks at a query before ClickHouse does. What a user may read is
// decided there, by grants and row policies. The guard closes what those leave
// open:
//
//   - SETTINGS in a subquery is not held to the constraints of the user, so a
//     query could lift its own limits;
//   - the function file() needs no grant, and where ClickHouse runs without a
//     jail for user files, it reads any file of the machine;
//   - functions that read a table's index see the keys of all tenants.
//
// It splits the text into words exactly as ClickHouse does, and refuses what
// the two could understand differently (see lexer.go).

// statements are the first words of what may run.
var statements = map[string]bool{
	"select": true, "with": true, "from": true, "show": true, "describe": true, "desc": true,
	"explain": true, "exists": true,
}

// forbiddenWords must not occur as a name at all, quoted or not: a function can
// be called without parentheses, as in APPLY(file).
var forbiddenWords = map[string]bool{"file": true}

// forbiddenFunctions must not be called. Most need a grant that no reader
// should have; that they are refused here too guards against one too many.
var forbiddenFunctions = regexp.MustCompile(`^(` + strings.Join([]string{
	"eval", "executable.*", "loop", "input", "mergetree.*",
	"filecluster", "filesystem", "url", "urlcluster", "s3.*", "gcs", "oss", "cosn", "hdfs.*", "azureblobstorage.*",
	"iceberg.*", "deltalake.*", "hudi.*", "paimon.*", "ytsaurus.*", "arrowflight.*",
	"remote", "remotesecure", "cluster", "clusterallreplicas",
	"mysql", "postgresql", "mongodb", "redis", "sqlite", "odbc", "jdbc",
	"catboostevaluate", "showcertificate", "aigenerate", "aiextract", "aiclassify", "aitranslate", "aiembed", "__.*",
}, "|") + `)$`)

// harmlessFunctions match a pattern above and are ordinary.
var harmlessFunctions = map[string]bool{"icebergbucket": true, "icebergtruncate": true, "iceberghash": true}

// tenantWords must not occur in the query of a tenant: they count what belongs
// to others.
var tenantWords = map[string]bool{"system": true, "information_schema": true, "estimate": true}

// check refuses what must not run. Bounded says that the query is of a tenant.
func check(text string, bounded bool) *Fault {
	words, err := lex(text)
	if err != nil {
		return badRequest("%v", err)
	}
	if len(words) == 0 {
		return badRequest("there is no query, only comments")
	}
	for i, w := range words {
		if w.kind == semicolon {
			for _, after := range words[i:] {
				if after.kind != semicolon {
					return badRequest("one statement at a time: there is more text after the semicolon at position %d", w.at+1)
				}
			}
			words = words[:i]
			break
		}
	}
	if fault := checkStatement(words); fault != nil {
		return fault
	}
	for i, w := range words {
		if fault := checkWord(words, i, w, bounded); fault != nil {
			return fault
		}
	}
	return nil
}

func checkStatement(words []word) *Fault {
	for _, w := range words {
		if w.kind == openParenthesis {
			continue // (SELECT 1) UNION ALL (SELECT 2)
		}
		if w.kind == bareWord && statements[strings.ToLower(w.text)] {
			return nil
		}
		return forbidden("only queries that read are allowed: SELECT, WITH, SHOW, DESCRIBE, EXPLAIN and EXISTS; this one starts with %s", w.text)
	}
	return badRequest("there is no query, only parentheses")
}

func checkWord(words []word, i int, w word, bounded bool) *Fault {
	if w.kind != bareWord && w.kind != quotedName {
		return nil
	}
	name := strings.ToLower(w.text)
	switch {
	case w.kind == bareWord && name == "settings":
		return forbidden("SETTINGS at position %d: a query cannot have settings here; "+
			"limits are passed as parameters of the request, and a name is written \"settings\"", w.at+1)
	case forbiddenWords[name]:
		return forbidden("%s at position %d: neither a function nor a column may have this name here", w.text, w.at+1)
	case bounded && (tenantWords[name] || strings.HasPrefix(name, "mergetree")):
		return forbidden("%s at position %d is not for the tokens of a tenant", w.text, w.at+1)
	}
	called := i+1 < len(words) && words[i+1].kind == openParenthesis
	if called && forbiddenFunctions.MatchString(name) && !harmlessFunctions[name] {
		return forbidden("the function %s at position %d is not allowed", w.text, w.at+1)
	}
	return nil
}

func badRequest(format string, args ...any) *Fault {
	return &Fault{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func forbidden(format string, args ...any) *Fault {
	return &Fault{Status: http.StatusForbidden, Name: "ACCESS_DENIED", Code: 497, Message: fmt.Sprintf(format, args...)}
}
