package sqlstore_test

const workerEnv = "METALKEEP_WORKER"

func work(dsn string) int { return 0 }
