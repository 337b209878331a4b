package clickhouse

import (
	"errors"
	"reflect"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// An encoder appends one column of all rows of an insert, in ClickHouse's
// Native format, straight from where the rows are.
type encoder func(dst []byte) []byte

// blockColumn is a column of a block that is sent. The client's own columns
// would take every value as an interface and keep a copy of it; this one writes
// rows directly into the connection's buffer when the block is sent.
type blockColumn struct {
	*columnOf
	piece *piece
}

var (
	_ column.Interface           = (*blockColumn)(nil)
	_ column.CustomSerialization = (*blockColumn)(nil)
)

// errWriteOnly is what the methods return that a block that is sent has no use for.
var errWriteOnly = errors.New("the column can only be encoded")

// Name returns the name of the column.
func (c *blockColumn) Name() string { return c.name }

// Type returns the type of the column.
func (c *blockColumn) Type() column.Type { return c.kind }

// Rows returns the number of rows.
func (c *blockColumn) Rows() int { return c.piece.to - c.piece.from }

// Encode appends the rows.
func (c *blockColumn) Encode(b *proto.Buffer) {
	c.piece.begin()
	b.Buf = c.encode(b.Buf)
}

// WriteStatePrefix appends what goes before the rows: the version of the
// dictionaries, where there are any.
func (c *blockColumn) WriteStatePrefix(b *proto.Buffer) error {
	if strings.Contains(string(c.kind), "LowCardinality") {
		b.PutUInt64(1)
	}
	return nil
}

// ReadStatePrefix is not used.
func (c *blockColumn) ReadStatePrefix(*proto.Reader) error { return errWriteOnly }

// Decode is not used.
func (c *blockColumn) Decode(*proto.Reader, int) error { return errWriteOnly }

// Append is not used.
func (c *blockColumn) Append(any) ([]uint8, error) { return nil, errWriteOnly }

// AppendRow is not used.
func (c *blockColumn) AppendRow(any) error { return errWriteOnly }

// Row is not used.
func (c *blockColumn) Row(int, bool) any { return nil }

// ScanRow is not used.
func (c *blockColumn) ScanRow(any, int) error { return errWriteOnly }

// ScanType is not used.
func (c *blockColumn) ScanType() reflect.Type { return nil }

// Reset does nothing: the column holds nothing.
func (c *blockColumn) Reset() {}
