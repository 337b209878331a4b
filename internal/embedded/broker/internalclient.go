package broker

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// internalClient asks the broker what it offers only over its protocol, from
// inside the process. It is used by one goroutine.
type internalClient struct {
	dial   func() (net.Conn, error)
	conn   net.Conn
	reader *bufio.Reader
	number uint32
}

// internalTimeout bounds one request. The broker handles requests one at a
// time, and a large append to a slow disk may be before ours.
const internalTimeout = 30 * time.Second

func (c *internalClient) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// request sends a request, whose version must be set, and decodes the response.
func request[Response kmsg.Response](c *internalClient, req kmsg.Request) (response Response, err error) {
	defer func() {
		if err != nil {
			c.close()
			err = fmt.Errorf("%s: %w", kmsg.NameForKey(req.Key()), err)
		}
	}()
	if c.conn == nil {
		if c.conn, err = c.dial(); err != nil {
			return response, err
		}
		c.reader = bufio.NewReader(c.conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(internalTimeout)); err != nil {
		return response, err
	}
	c.number++
	out := make([]byte, 4, 64)
	out = binary.BigEndian.AppendUint16(out, uint16(req.Key()))
	out = binary.BigEndian.AppendUint16(out, uint16(req.GetVersion()))
	out = binary.BigEndian.AppendUint32(out, c.number)
	out = binary.BigEndian.AppendUint16(out, 0xffff) // no client id
	if req.IsFlexible() {
		out = append(out, 0)
	}
	out = req.AppendTo(out)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	if _, err := c.conn.Write(out); err != nil {
		return response, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c.reader, size[:]); err != nil {
		return response, err
	}
	in := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.reader, in); err != nil {
		return response, err
	}
	response = req.ResponseKind().(Response)
	skip := 4
	if response.IsFlexible() {
		skip++
	}
	if len(in) < skip {
		return response, io.ErrUnexpectedEOF
	}
	return response, response.ReadFrom(in[skip:])
}
