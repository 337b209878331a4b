package clickhouse

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

// Output are the columns of a SELECT and where they go.
type Output struct {
	list []string
	// Result is for the query that has the columns.
	Result proto.Results
}

// Add adds a column: an expression and where its values go.
func (o *Output) Add(expression string, data proto.ColResult) {
	name := "c" + strconv.Itoa(len(o.list))
	o.list = append(o.list, expression+" AS "+name)
	o.Result = append(o.Result, proto.ResultColumn{Name: name, Data: data})
}

// Columns is what stands between SELECT and FROM.
func (o *Output) Columns() string { return strings.Join(o.list, ", ") }

// Condition is the WHERE of a statement: terms that must all hold, whose values
// are bound parameters.
type Condition struct {
	Terms      []string
	Parameters []Parameter
}

// Bind binds a value and returns how a statement refers to it. Kind is its type
// in ClickHouse.
func (c *Condition) Bind(kind, value string) string {
	name := fmt.Sprintf("p%d", len(c.Parameters))
	c.Parameters = append(c.Parameters, Text(name, value))
	return "{" + name + ":" + kind + "}"
}

// Text binds a text and returns the expression for it.
func (c *Condition) Text(value string) string { return c.Bind("String", value) }

// Add adds a term that must hold as well.
func (c *Condition) Add(term string) { c.Terms = append(c.Terms, term) }

// Where is what stands after WHERE.
func (c *Condition) Where() string { return strings.Join(c.Terms, "\n  AND ") }

// Unanswered reports whether an error of [Columns] is that of a connection: it
// could not be made, or ended before the answer did.
func Unanswered(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
