// Package backup keeps a reseller's list of backups to be made.
package backup
