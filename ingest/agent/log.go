package agent

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/service/telemetry"
	"go.uber.org/zap"         //nolint:depguard // the collector logs with it; here its lines become those of slog
	"go.uber.org/zap/zapcore" //nolint:depguard // the same
)

// logLevel is the least level of the collector's lines.
type logLevel = zapcore.Level

const defaultLogLevel = zapcore.InfoLevel

// logOptions are for what the collector says before it has read its
// configuration.
func logOptions(log *slog.Logger) []zap.Option {
	return []zap.Option{zap.WrapCore(func(zapcore.Core) zapcore.Core { return newLogCore(log) })}
}

// createLogger makes the logger of all components.
func createLogger(log *slog.Logger) telemetry.CreateLoggerFunc {
	return func(_ context.Context, _ telemetry.LoggerSettings, c component.Config) (*zap.Logger, component.ShutdownFunc, error) {
		core, least := newLogCore(log), c.(*telemetryConfig).Logs.Level
		for !core.Enabled(least) && least < zapcore.ErrorLevel {
			least++ // zap complains where goshawk's own level is the higher one
		}
		return zap.New(core, zap.IncreaseLevel(least)), nil, nil
	}
}

// logCore hands the collector's log lines to goshawk's log, so that a process
// has one log with one level and one form.
type logCore struct {
	log slog.Handler
}

func newLogCore(log *slog.Logger) zapcore.Core { return &logCore{log: log.Handler()} }

// level is what a level of zap is called here; what is worse than an error is
// an error.
func level(l zapcore.Level) slog.Level {
	switch {
	case l <= zapcore.DebugLevel:
		return slog.LevelDebug
	case l == zapcore.InfoLevel:
		return slog.LevelInfo
	case l == zapcore.WarnLevel:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// Enabled implements zapcore.LevelEnabler.
func (c *logCore) Enabled(l zapcore.Level) bool {
	return c.log.Enabled(context.Background(), level(l))
}

// With implements zapcore.Core.
func (c *logCore) With(fields []zapcore.Field) zapcore.Core {
	return &logCore{log: c.log.WithAttrs(attributes(fields))}
}

// Check implements zapcore.Core.
func (c *logCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write implements zapcore.Core.
func (c *logCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	record := slog.NewRecord(entry.Time, level(entry.Level), entry.Message, 0)
	record.AddAttrs(attributes(fields)...)
	return c.log.Handle(context.Background(), record)
}

// Sync implements zapcore.Core.
func (c *logCore) Sync() error { return nil }

// hidden are fields that say nothing to an operator.
var hidden = map[string]bool{"resource": true, "stacktrace": true, "caller": true}

// attributes turns fields into attributes. One field may stand for several: the
// collector says in that way which component speaks.
func attributes(fields []zapcore.Field) []slog.Attr {
	all := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		if hidden[f.Key] {
			continue
		}
		encoder := zapcore.NewMapObjectEncoder()
		f.AddTo(encoder)
		for _, key := range slices.Sorted(maps.Keys(encoder.Fields)) {
			all = append(all, slog.Any(key, encoder.Fields[key]))
		}
	}
	return all
}
