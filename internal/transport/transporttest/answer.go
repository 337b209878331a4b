package transporttest

import (
	"io"
	"net/http"
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
