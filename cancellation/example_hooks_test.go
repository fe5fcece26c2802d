package cancellation_test

import (
	"context"
	"fmt"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// A gate refuses an execution while a backup is running. The record says why, and the execution is tried again later.
func ExampleHooks() {
	ctx := context.Background()
	panel, err := newPanel(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	running := true
	whileBackupRuns := func(_ context.Context, _ dedicated.Actor, _ string, c cancellation.Cancellation) error {
		if running && c.State == cancellation.Executing {
			return dedicated.Refuse("a backup is running")
		}
		return nil
	}
	cancellations, err := cancellation.New(cancellation.Config{
		Store: &cancellation.MemoryStore{}, Servers: panel.servers, Clock: panel.clock,
		Hooks: cancellation.Hooks{Gate: []func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error{whileBackupRuns}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := cancellations.Schedule(ctx, panel.reseller, cancellation.Order{
		ServerID: panel.server.ID, When: cancellation.When{At: panel.clock.Now()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		next, err := cancellations.Tick(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		if c, err = cancellations.Cancellation(ctx, panel.reseller, c.ID); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(c.State, c.LastError)
		running = false
		panel.clock.Set(next)
	}
	// Output:
	// scheduled cancellation: Execution of the cancellation of server web-07 was refused: a backup is running
	// executed
}
