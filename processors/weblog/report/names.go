package report

import (
	"net/http"
	"strconv"
)

// statusName is a status with its name.
func statusName(status int) string {
	if status == 0 {
		return "(none)"
	}
	name := http.StatusText(status)
	if name == "" {
		switch status {
		case 444:
			name = "No Response" // nginx closed the connection
		case 499:
			name = "Client Closed Request"
		default:
			return strconv.Itoa(status)
		}
	}
	return strconv.Itoa(status) + " " + name
}

func className(class int) string {
	if name, ok := map[int]string{1: "informational", 2: "success", 3: "redirection", 4: "client errors", 5: "server errors"}[class]; ok {
		return strconv.Itoa(class) + "xx " + name
	}
	return "other"
}
