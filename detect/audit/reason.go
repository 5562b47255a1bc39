package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Invalid says what is wrong with a text that should be a JSON object.
func Invalid(text []byte) string {
	var v json.RawMessage
	err := json.Unmarshal(text, &v)
	if err == nil {
		return "not JSON"
	}
	return Reason(err)
}

// Reason is an error of decoding JSON in words that ask for no knowledge of Go.
func Reason(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && strings.Contains(err.Error(), "unexpected end"):
		return "the record ends in the middle"
	case errors.As(err, &syntax):
		return fmt.Sprintf("the JSON is damaged at this place (character %d)", syntax.Offset)
	case errors.As(err, &kind):
		return "it is no JSON object"
	}
	return err.Error()
}
