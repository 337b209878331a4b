package transporttest

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// Answer is what a server says to a request.
type Answer struct {
	Status int
	Header http.Header
	Text   string
}

// Ask sends a request and reads the answer to its end. Where that breaks off,
// the answer has what came before.
func Ask(client *http.Client, request *http.Request) (Answer, error) {
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, string(text)}, err
}

// Post sends a body over a connection of its own and returns the answer.
func Post(t testing.TB, url string, body []byte, header map[string]string) Answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	defer client.CloseIdleConnections()
	answer, err := Ask(client, request)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
