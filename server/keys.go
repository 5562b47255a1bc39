package server

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/connect"
	"tocsin.dev/export"
	"tocsin.dev/inbox"
	"tocsin.dev/investigate/evidence"
	"tocsin.dev/investigate/reported"
	"tocsin.dev/notify"
	"tocsin.dev/secret"
	"tocsin.dev/secret/reseal"
	"tocsin.dev/store"
)

// Sealed is every place of the store where something lies sealed.
func Sealed() []reseal.Place {
	own := reseal.Place{What: "the key of the webhook", Table: "installation", Key: "key", Column: "value", About: func(tocsin.TenantID, string) string { return hookKeyName },
		Cut: func(value string) ([]byte, bool) {
			shut, ok := strings.CutPrefix(value, hookKeyMark)
			out, err := base64.StdEncoding.DecodeString(shut)
			return out, ok && err == nil
		},
		Put: func(_ string, sealed []byte) string { return hookKeyMark + base64.StdEncoding.EncodeToString(sealed) }}
	return append(slices.Concat(connect.Sealed(), notify.Sealed(), export.Sealed(), api.Sealed(), collect.Sealed(), evidence.Sealed(), reported.Sealed(), inbox.Sealed()), own)
}

// Rotation gives what rotates the key that these settings name, in the store that they name; neither is made. The server may
// run or not. Close the store when it is no longer needed.
func (c Config) Rotation(ctx context.Context) (*reseal.Rotation, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(c.database(), "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, tocsin.Problemf(tocsin.NotFound, "Give the settings of the server: --config, --set data=… or the environment.", "There is no database at %s.", path)
		}
	}
	source := c.keySource()
	source.Exists = true
	keeper, err := secret.Open(ctx, source)
	if err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, c.database(), &tocsin.Clock{})
	if err != nil {
		return nil, err
	}
	return &reseal.Rotation{Store: st, Keeper: keeper, Places: Sealed()}, nil
}

// announce says which keys this server has as long as it runs: see reseal.Announce.
func (s *Server) announce(ctx context.Context) error {
	name := s.name()
	for failing := false; ctx.Err() == nil; {
		err := reseal.Announce(ctx, s.keeper, s.Store, name, s.leaseFor())
		if err != nil && !failing && ctx.Err() == nil {
			s.log.Warn("this server cannot say which key it has, so the key cannot be rotated", "error", err)
		}
		failing = err != nil
		pause(ctx, s.leaseFor()/5)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := reseal.Leave(ctx, s.Store, name); err != nil {
		s.log.Debug("the keys of this server stay announced for a moment", "error", err)
	}
	return ctx.Err()
}

// name tells this server from others at the same store, for people.
func (s *Server) name() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	data, err := filepath.Abs(s.Config.Data)
	if err != nil {
		data = s.Config.Data
	}
	if _, port, err := net.SplitHostPort(s.Config.Listen); err == nil && port != "0" {
		return host + ":" + port
	}
	return host + ":" + data
}
