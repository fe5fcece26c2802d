package backup_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// table is a host's own table of servers. This package needs only one method of it.
type table map[uuid.UUID]dedicated.Server

func (t table) Server(_ context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	s, ok := t[id]
	if !ok || s.ResellerID != a.ResellerID {
		return dedicated.Server{}, dedicated.ErrNotFound
	}
	return s, nil
}

// noon is a clock for examples: it is always 1 March 2026, 12:00.
func noon() *fixedClock {
	return newClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
}

// rented returns a table with one server, its reseller, and the client that uses it.
func rented() (t table, server uuid.UUID, reseller, client dedicated.Actor) {
	reseller = dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}
	client = dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: reseller.ResellerID}
	server = uuid.New()
	return table{server: {
		ID: server, ResellerID: reseller.ResellerID, ClientID: client.ID, Name: "web-07",
		State: dedicated.InUse, Assignment: uuid.New(),
	}}, server, reseller, client
}

// A host that has its own table of servers uses backups alone.
func Example() {
	servers, server, reseller, client := rented()
	backups, err := backup.New(backup.Config{Store: &backup.MemoryStore{}, Servers: servers, Clock: noon()})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	r, err := backups.Submit(ctx, client, backup.Form{
		ServerID: server, What: "the database",
		Schedule: backup.Schedule{Frequency: backup.Monthly, MonthDay: 31, Hour: 2, Minute: 30, Zone: "Europe/Berlin"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Form.Schedule)

	tasks, _, err := backups.Tasks(ctx, reseller, backup.TaskQuery{States: []backup.State{backup.Pending}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range tasks {
		fmt.Println(t.ServerName, t.At.Format(time.RFC3339), t.What)
		done, err := backups.Complete(ctx, reseller, t.ID, backup.Result{Bytes: 5 << 30, Location: "vault 2"})
		fmt.Println(done.State, err)
		_, err = backups.Complete(ctx, reseller, t.ID, backup.Result{})
		fmt.Println(err)
	}
	// Output:
	// every month on the 31st or the last day at 02:30, Europe/Berlin
	// web-07 2026-03-31T00:30:00Z the database
	// completed <nil>
	// backup: the backup task of server web-07 for 2026-03-31 is completed: Complete takes one that is pending
}

// A plug-in makes the backups. Tick calls it for each task that is due.
func ExamplePerformer() {
	servers, server, reseller, client := rented()
	now := noon()
	backups, err := backup.New(backup.Config{
		Store: &backup.MemoryStore{}, Servers: servers, Clock: now,
		Performer: backup.PerformerFunc(func(_ context.Context, t backup.Task) (backup.Result, error) {
			return backup.Result{Bytes: 42, Location: "vault/" + t.ServerName}, nil
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err = backups.Submit(ctx, client, backup.Form{
		ServerID: server, Schedule: backup.Schedule{Frequency: backup.Daily, Hour: 14},
	}); err != nil {
		fmt.Println(err)
		return
	}
	now.Add(3 * time.Hour)
	next, err := backups.Tick(ctx) // a dedicated.Runner does this all the time
	fmt.Println("next at", next.Format(time.RFC3339), err)
	tasks, _, err := backups.Tasks(ctx, reseller, backup.TaskQuery{})
	for _, t := range tasks {
		fmt.Printf("%s %s %q\n", t.At.Format(time.DateOnly), t.State, t.Result.Location)
	}
	fmt.Println(err)
	// Output:
	// next at 2026-03-02T14:00:00Z <nil>
	// 2026-03-01 completed "vault/web-07"
	// 2026-03-02 pending ""
	// <nil>
}

// A gate refuses new requests. Requests that exist continue.
func ExampleHooks() {
	servers, server, _, client := rented()
	off := dedicated.Refuse("no new backups before the move to the new data centre")
	backups, err := backup.New(backup.Config{
		Store: &backup.MemoryStore{}, Servers: servers,
		Hooks: backup.Hooks{Gate: []func(context.Context, dedicated.Actor, backup.Request) error{
			func(_ context.Context, _ dedicated.Actor, r backup.Request) error {
				if r.Version == 0 {
					return off
				}
				return nil
			},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = backups.Submit(context.Background(), client, backup.Form{
		ServerID: server, Schedule: backup.Schedule{Frequency: backup.Daily, Hour: 2},
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, off), errors.Is(err, backup.ErrForbidden))
	// Output:
	// backup: Submit of backups of server web-07 was refused: no new backups before the move to the new data centre
	// true true
}

// A calendar shows the backups to come, also those after the planned task, and those that a scheduled cancellation will prevent.
func ExampleManager_Upcoming() {
	servers, server, _, client := rented()
	now := noon()
	backups, err := backup.New(backup.Config{
		Store: &backup.MemoryStore{}, Servers: servers, Clock: now,
		Ends: func(context.Context, []uuid.UUID) (map[uuid.UUID]time.Time, error) {
			return map[uuid.UUID]time.Time{server: time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err = backups.Submit(ctx, client, backup.Form{ServerID: server, Schedule: backup.Schedule{
		Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Monday}, Hour: 2,
	}}); err != nil {
		fmt.Println(err)
		return
	}
	occurrences, err := backups.Upcoming(ctx, client, now.Now(), now.Now().AddDate(0, 1, 0), 10)
	for _, o := range occurrences {
		fmt.Println(o.At.Format(time.RFC3339), "will run:", !o.WillNotRun)
	}
	fmt.Println(err)
	// Output:
	// 2026-03-02T02:00:00Z will run: true
	// 2026-03-09T02:00:00Z will run: true
	// 2026-03-16T02:00:00Z will run: true
	// 2026-03-23T02:00:00Z will run: false
	// 2026-03-30T02:00:00Z will run: false
	// <nil>
}
