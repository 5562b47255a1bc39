package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// UploadSession is what attachments.upload answers: an address to which the parts of a file are put. The address alone is the right to.
type UploadSession struct {
	URL string `json:"uploadUrl"`
}

// String hides the address.
func (UploadSession) String() string { return "graph.UploadSession" }

// uploadPart is how many bytes go at once: Microsoft takes less than 4 MB.
// https://learn.microsoft.com/graph/outlook-large-attachments
const uploadPart = 3 << 20

// Upload puts a file of size bytes to an upload session, part after part, each tried again as what is safe to try again. No token goes with it.
// user is whose mailbox it is, whose limits the parts count for. A file that ends early or late is an error, and the session is then given up.
func (c *Client) Upload(ctx context.Context, session UploadSession, user string, file io.Reader, size int64) error {
	u, err := url.Parse(session.URL)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return &ForeignLink{Call: "attachments.upload", Host: "an address that is none"}
	}
	part := make([]byte, min(int64(uploadPart), size))
	for at := int64(0); at < size; {
		n := min(size-at, int64(len(part)))
		if _, err := io.ReadFull(file, part[:n]); err != nil {
			return fmt.Errorf("the file ended after less than %d bytes: %w", size, err)
		}
		next, err := c.uploadPart(ctx, session.URL, user, part[:n], at, size)
		if err != nil {
			return err
		}
		if next != at+n {
			return &Unavailable{Where: Where{Call: "attachments.upload"}, What: "Microsoft Graph expects another part of the file than the next"}
		}
		at = next
	}
	return nil
}

// uploadPart puts one part, and gives where the next begins.
func (c *Client) uploadPart(ctx context.Context, to, user string, part []byte, at, size int64) (int64, error) {
	call := Find("attachments.upload")
	for try := 1; ; try++ {
		if c.paused() {
			return 0, ErrPaused
		}
		ticket, err := c.limits.acquire(ctx, ask{call: call.Name, kind: Mailbox, box: mailboxKey(call, P{"user": user}), units: 1, write: true, high: isHigh(ctx), bytes: len(part)})
		if err != nil {
			return 0, err
		}
		next, err := c.putPart(ctx, call, to, part, at, size)
		ticket.release(0)
		if err == nil {
			return next, nil
		}
		again, wait := c.again(err, request{call: Call{Method: http.MethodGet}}, try, false)
		if !again || sleep(ctx, wait) != nil {
			return 0, final(err)
		}
	}
}

func (c *Client) putPart(ctx context.Context, call Call, to string, part []byte, at, size int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to, bytes.NewReader(part))
	if err != nil {
		return 0, &ForeignLink{Call: call.Name, Host: "an address that is none"}
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, at+int64(len(part))-1, size))
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	res, err := c.http.Do(req)
	if err != nil {
		return 0, c.silence(call, "", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, signInBody))
	if err != nil {
		return 0, &passes{Unavailable: &Unavailable{Where: Where{Call: call.Name}, What: "the answer broke off"}}
	}
	rep := &reply{status: res.StatusCode, header: res.Header, body: body}
	if rep.status == http.StatusRequestedRangeNotSatisfiable { // the part is there already: it was sent twice
		return at + int64(len(part)), nil
	}
	if rep.status >= 300 {
		return 0, c.judge(call, rep)
	}
	if rep.status == http.StatusCreated {
		return size, nil
	}
	var answer struct {
		Next []string `json:"nextExpectedRanges"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Next) == 0 {
		return at + int64(len(part)), nil
	}
	from, _, _ := strings.Cut(answer.Next[0], "-")
	next, err := strconv.ParseInt(from, 10, 64)
	if err != nil {
		return 0, &Unavailable{Where: rep.where(call), What: "the answer does not read as expected: where the next part begins"}
	}
	return next, nil
}
