//go:build !unix

package storetest

// start runs no PostgreSQL where there are no users to run it as and no sockets: TOCSIN_TEST_POSTGRES names one.
func start() (string, error) { return "", errAbsent }
