package traces

import (
	"math"
	"strconv"
)

// Tagged returns the expression that a span or its resource has an attribute
// with a value that reads as the text: a number is compared as a number.
func Tagged(c *Condition, key, value string) string {
	k, v := c.Text(key), c.Text(value)
	if value == "" { // as an attribute that is not there reads
		return "has(mapKeys(attributes), " + k + ") AND attributes[" + k + "] = ''"
	}
	either := "attributes[" + k + "] = " + v
	if f, err := strconv.ParseFloat(value, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		number := "attribute_numbers[" + k + "] = " + c.Number(f)
		if f == 0 {
			number = "(has(mapKeys(attribute_numbers), " + k + ") AND " + number + ")"
		}
		either += " OR " + number
	}
	if key == "service.name" {
		either += " OR service = " + v
	} else if expression, ok := c.ResourceAttribute(key); ok {
		either += " OR " + expression + " = " + v
	}
	return "(" + either + ")"
}
