// Dapr's own conformance suite for pub/sub components, run against a pluggable component by way of the adapter with
// which a sidecar reaches one. It prints what `go test -v` would, and ends with 1 when a test failed.
//
// It reads one JSON object from the environment variable DAPR_SUITE:
// {"socket": path, "properties": {...}, "operations": [...], "config": {...}}.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	conformance "github.com/dapr/components-contrib/tests/conformance/pubsub"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/kit/logger"
)

type asked struct {
	Socket     string            `json:"socket"`
	Properties map[string]string `json:"properties"`
	Operations []string          `json:"operations"`
	Config     map[string]any    `json:"config"`
}

func main() {
	var asked asked
	if err := json.Unmarshal([]byte(os.Getenv("DAPR_SUITE")), &asked); err != nil {
		fmt.Fprintln(os.Stderr, "DAPR_SUITE is not the JSON object that names a component:", err)
		os.Exit(2)
	}
	suite := testing.InternalTest{Name: "Conformance", F: func(t *testing.T) {
		config, err := conformance.NewTestConfig("pluggable", asked.Operations, asked.Config)
		if err != nil {
			t.Fatal(err)
		}
		component := pubsub.NewGRPCPubSub(logger.NewLogger("suite"), asked.Socket)
		conformance.ConformanceTests(t, asked.Properties, component, config)
	}}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{suite}, nil, nil)
}
