package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"tocsin.dev"
)

// The migrations: one SQL text for both engines, each in a transaction. They only go forward; an old version is gone
// back to with a backup.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies what the database lacks. Replicas that start together on PostgreSQL wait for one another.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return s.migrateWith(ctx, files)
}

func (s *Store) migrateWith(ctx context.Context, files fs.FS) error {
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	if s.kind == postgres {
		turn, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120)) // each second, for two minutes
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(turn))
	}
	all, err := goose.NewProvider(s.kind.goose(), s.write, files, options...)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	has, knows, err := all.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the version of the database: %w", err)
	}
	if has > knows {
		return tocsin.Problemf(tocsin.Conflict, "Run that newer version again, or restore a backup from before it.",
			"The database was written by a newer version of Tocsin (its tables are of version %d, this one knows %d).", has, knows)
	}
	if _, err := all.Up(ctx); err != nil {
		if part, ok := errors.AsType[*goose.PartialError](err); ok {
			err = part.Err
		}
		return fmt.Errorf("bring the tables up to date: %w", err)
	}
	return nil
}
