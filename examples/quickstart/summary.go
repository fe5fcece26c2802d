package main

import (
	"fmt"

	"github.com/metalkeep/metalkeep/backup"
)

// recordStart records what the inventory holds.
func (s *simulation) recordStart() {
	counts := map[string]int{}
	var owners, zones []string
	inStock := 0
	for _, l := range s.inventory.servers {
		owner := "of its own"
		if !l.owner.Own() {
			owner = "of " + l.owner.Provider
		}
		owners, zones = appendNew(owners, owner), appendNew(zones, l.billing.Zone)
		counts[owner]++
		inStock += rank(l.inStock())
	}
	var shares []string
	for _, owner := range owners {
		shares = append(shares, fmt.Sprintf("%d %s", counts[owner], owner))
	}
	all, clients := len(s.inventory.servers), len(s.inventory.clients())
	s.record("simulation.started", resellerName, "", fmt.Sprintf(
		"The reseller %s has %s (%s): %d are assigned to %s and %d are in stock, in %s. The times on the left are UTC.",
		resellerName, count(all, "server"), list(shares), all-inStock, count(clients, "client"), inStock, count(len(zones), "time zone")),
		data{"servers": all, "clients": clients, "zones": len(zones), "in_stock": inStock, "owners": counts})
}

// recordEnd records the totals. It returns an error if a delivery is still pending or is dead.
func (s *simulation) recordEnd() error {
	mails, refunds := map[string]int{}, []string{}
	for _, e := range s.events {
		switch e.Kind {
		case "mail.client", "mail.reseller", "mail.provider":
			mails[e.Kind[len("mail."):]]++
		case "money.refunded":
			refunds = append(refunds, fmt.Sprintf("%s %s", e.Data["total"], e.Data["currency"]))
		}
	}
	backups, err := s.backups.Counts(s.ctx, s.reseller, backup.TaskQuery{})
	if err != nil {
		return err
	}
	skipped, err := s.tasks(backup.TaskQuery{States: []backup.State{backup.Skipped}})
	if err != nil {
		return err
	}
	missed := 0
	for _, t := range skipped {
		missed += t.Missed
	}
	waiting, dead, _, err := s.stores.outbox.Depth(s.ctx)
	if err != nil {
		return err
	}
	s.record("simulation.ended", resellerName, "", fmt.Sprintf("The simulation ends. "+
		"Mails: %d to clients, %d to the reseller, %d to providers; %d waiting, %d dead.\n"+
		"Backups: %d completed, %d cancelled, %d failed, %d skipped. Refunds: %s.",
		mails["client"], mails["reseller"], mails["provider"], waiting, dead,
		backups[backup.Completed], backups[backup.Cancelled], backups[backup.Failed], missed, list(refunds)),
		data{"mails": mails, "waiting": waiting, "dead": dead, "backups": backups, "missed": missed, "refunds": refunds})
	if waiting > 0 || dead > 0 {
		return fmt.Errorf("at the end of the simulation %d deliveries are waiting and %d are dead, expected 0", waiting, dead)
	}
	return nil
}
