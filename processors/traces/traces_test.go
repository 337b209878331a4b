package traces_test

import (
	"testing"

	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/traces"
)

func TestScripts(t *testing.T) { pipelinetest.RunScripts(t, traces.Registration(), "testdata") }
