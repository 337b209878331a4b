// Package config reads a component tree's configuration: defaults first, then
// one strict YAML file, then the environment. It knows no setting by name; the
// settings are the fields of the struct that it fills.
package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
)

// EnvPrefix starts the name of every environment variable that overrides a
// setting: GOSHAWK_GATEWAY_OTLP_HTTP overrides gateway.otlp_http.
const EnvPrefix = "GOSHAWK_"

// Validator is implemented by the parts of a configuration that can say what
// is wrong with their values.
type Validator interface{ Validate() error }

// Load fills into, a pointer to a struct that holds the defaults, from the YAML
// file at path (none where path is empty) and from environ, in the form of
// [os.Environ]. Unknown keys, wrong types and duplicate keys are errors that
// name the line and, for an unknown key, the nearest known one.
func Load(path string, into any, environ []string) error {
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading configuration: %w", err)
		}
		if err := Parse(text, into); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return applyEnviron(into, environ)
}

// Parse fills into from YAML text. See [Load].
func Parse(text []byte, into any) (err error) {
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil
	}
	// The library panics on some texts that are no YAML.
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("the text is no YAML: %v", problem)
		}
	}()
	err = yaml.UnmarshalWithOptions(text, into, yaml.Strict(), yaml.DisallowUnknownField())
	if err == nil {
		return nil
	}
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) && unknown.Token != nil {
		key := unknown.Token.Value
		message := fmt.Sprintf("line %d: unknown key %q", unknown.Token.Position.Line, key)
		if name := Nearest(key, keyNames(reflect.TypeOf(into))); name != "" {
			message += fmt.Sprintf("; did you mean %q?", name)
		}
		return errors.New(message)
	}
	return errors.New(strings.TrimSpace(yaml.FormatError(err, false, true)))
}

// Setting is one leaf of a configuration.
type Setting struct {
	// Path is the YAML path, its parts joined with dots.
	Path string
	// Env is the variable that overrides the setting.
	Env   string
	Value reflect.Value
}

// Settings lists the leaves of a configuration in the order of its fields.
func Settings(of any) []Setting {
	var all []Setting
	walk(reflect.ValueOf(of), "", func(path string, value reflect.Value) {
		env := EnvPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
		all = append(all, Setting{Path: path, Env: env, Value: value})
	})
	return all
}

func applyEnviron(into any, environ []string) error {
	values := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, EnvPrefix) {
			values[name] = value
		}
	}
	for _, s := range Settings(into) {
		text, ok := values[s.Env]
		if !ok {
			continue
		}
		if !s.Value.CanSet() {
			return fmt.Errorf("environment variable %s: %s cannot be set from the environment", s.Env, s.Path)
		}
		if s.Value.Kind() == reflect.String {
			// Taken as it is: a password may look like YAML.
			s.Value.SetString(text)
			continue
		}
		target := reflect.New(s.Value.Type())
		if err := yaml.UnmarshalWithOptions([]byte(text), target.Interface(), yaml.Strict()); err != nil {
			return fmt.Errorf("environment variable %s: %s", s.Env, strings.TrimSpace(yaml.FormatError(err, false, false)))
		}
		s.Value.Set(target.Elem())
	}
	return nil
}

// walk visits the leaves below v: fields that are not structs. A map of structs
// is entered, but its values cannot be set.
func walk(v reflect.Value, path string, visit func(string, reflect.Value)) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			name, inline := keyName(field)
			switch {
			case name == "-":
			case inline:
				walk(v.Field(i), path, visit)
			default:
				walk(v.Field(i), join(path, name), visit)
			}
		}
	case v.Kind() == reflect.Map && v.Type().Elem().Kind() == reflect.Struct:
		keys := v.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		for _, key := range keys {
			walk(v.MapIndex(key), join(path, key.String()), visit)
		}
	default:
		visit(path, v)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func keyName(field reflect.StructField) (name string, inline bool) {
	tag := field.Tag.Get("yaml")
	name, options, _ := strings.Cut(tag, ",")
	if strings.Contains(options, "inline") {
		return "", true
	}
	if name == "" {
		name = strings.ToLower(field.Name)
	}
	return name, false
}

// keyNames lists the key names that occur anywhere in a type.
func keyNames(t reflect.Type) []string {
	var names []string
	seen := map[reflect.Type]bool{}
	var collect func(reflect.Type)
	collect = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] {
			return
		}
		seen[t] = true
		for i := range t.NumField() {
			field := t.Field(i)
			if name, inline := keyName(field); field.IsExported() && name != "-" {
				if !inline {
					names = append(names, name)
				}
				collect(field.Type)
			}
		}
	}
	collect(t)
	return names
}

// Format renders a configuration as YAML, secrets masked.
func Format(of any) ([]byte, error) {
	text, err := yaml.MarshalWithOptions(of, yaml.Indent(2), yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("rendering configuration: %w", err)
	}
	return text, nil
}
