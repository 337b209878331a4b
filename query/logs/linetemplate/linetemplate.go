// Package linetemplate makes the texts of line_format and label_format: Go
// templates with the functions that Loki gives them, bounded in what they may
// write and loop over.
//
// It must not know LogQL.
package linetemplate

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
)

// Template makes texts. It is for one goroutine.
type Template struct {
	template *template.Template
	out      bounded
	line     string
	time     int64
	loops    int
}

// Bounds of one execution.
const (
	maxText   = 8 << 10   // bytes of the template
	maxOutput = 256 << 10 // bytes of what it writes, and of every text on the way
	maxLoops  = 10_000    // elements that range goes over
)

// New reads a template.
func New(text string) (*Template, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("it is longer than %d bytes", maxText)
	}
	t := &Template{}
	functions := t.functions()
	parsed, err := template.New("").Option("missingkey=zero").Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	for _, one := range parsed.Templates() {
		if one.Tree == nil || one.Root == nil {
			continue
		}
		if err := bind(one.Tree, one.Root); err != nil {
			return nil, err
		}
	}
	t.template = parsed
	return t, nil
}

// bind makes every loop go through the function that counts, and refuses what
// could run for long.
func bind(tree *parse.Tree, n parse.Node) error {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := bind(tree, child); err != nil {
				return err
			}
		}
	case *parse.TemplateNode:
		return errors.New("a template cannot use another one")
	case *parse.IfNode:
		return errors.Join(bind(tree, n.List), bind(tree, n.ElseList))
	case *parse.WithNode:
		return errors.Join(bind(tree, n.List), bind(tree, n.ElseList))
	case *parse.RangeNode:
		counted := parse.NewIdentifier("__elements").SetPos(n.Pos).SetTree(tree)
		n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{counted}})
		return errors.Join(bind(tree, n.List), bind(tree, n.ElseList))
	}
	return nil
}

// elements is what range goes over: a list or an object, and no number.
func (t *Template) elements(v any) (any, error) {
	if v == nil {
		return v, nil
	}
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Slice, reflect.Map, reflect.Array:
		if t.loops += value.Len(); t.loops > maxLoops {
			return nil, fmt.Errorf("range goes over more than %d elements", maxLoops)
		}
		return v, nil
	default:
		return nil, fmt.Errorf("range goes over lists and objects, not over %s", value.Kind())
	}
}

// Execute returns the text for a line, its time in Unix nanoseconds and its
// labels.
func (t *Template) Execute(line string, time int64, labels map[string]string) (string, error) {
	t.out.Reset()
	t.line, t.time, t.loops = line, time, 0
	if err := t.template.Execute(&t.out, labels); err != nil {
		var inner template.ExecError
		if errors.As(err, &inner) {
			return "", inner.Err
		}
		return "", err
	}
	return t.out.String(), nil
}

// bounded is a buffer that refuses to grow beyond what one line may become.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, fmt.Errorf("the template writes more than %d bytes", maxOutput)
	}
	return b.Builder.Write(p)
}

var errLong = fmt.Errorf("a text would be longer than %d bytes", maxOutput)

// fits refuses a text that would be too long.
func fits(n, times int) error {
	if n < 0 || times < 0 || n > maxOutput || times > maxOutput || n*times > maxOutput {
		return errLong
	}
	return nil
}
