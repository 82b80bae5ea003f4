//! What is written behind, in every order that its users' steps can come in: a structure of our own that several change at once while
//! the file is read and written in between.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ostiary::ephemeral::write_behind::{Slot, WriteBehind};
use ostiary::sql::Error;

const SLOT: Slot = ("kind", [7; 32]);

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Lets everybody else go first, once.
struct Step(bool);

impl Future for Step {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

const fn step() -> Step {
    Step(false)
}

/// Runs what `begin` gives in every order that its steps can come in, and judges what each leaves. Gives how many there were.
fn every_order<S>(begin: impl Fn() -> (S, Vec<Task>), judge: impl Fn(S, &[usize])) -> usize {
    // what was chosen at each step, of how many
    let mut choices: Vec<(usize, usize)> = Vec::new();
    let mut orders = 0;
    loop {
        let (state, tasks) = begin();
        let mut tasks: Vec<Option<Task>> = tasks.into_iter().map(Some).collect();
        let mut order = Vec::new();
        for at in 0.. {
            let running: Vec<usize> = (0..tasks.len()).filter(|task| tasks[*task].is_some()).collect();
            if running.is_empty() {
                break;
            }
            if at == choices.len() {
                choices.push((0, running.len()));
            }
            let task = running[choices[at].0];
            order.push(task);
            assert!(order.len() < 200, "somebody waits for ever: {order:?}");
            let mut context = Context::from_waker(Waker::noop());
            let polled = tasks[task].as_mut().unwrap().as_mut().poll(&mut context);
            if polled.is_ready() {
                tasks[task] = None;
            }
        }
        judge(state, &order);
        orders += 1;
        // the next order differs as late as possible
        loop {
            let Some((chosen, of)) = choices.pop() else {
                return orders;
            };
            if chosen + 1 < of {
                choices.push((chosen + 1, of));
                break;
            }
        }
    }
}

/// What is written behind, and the file behind it.
#[derive(Clone)]
struct Store {
    memory: Rc<WriteBehind<i64>>,
    file: Rc<RefCell<HashMap<Slot, i64>>>,
}

impl Store {
    fn with(value: Option<i64>) -> Self {
        Self {
            memory: Rc::new(WriteBehind::new()),
            file: Rc::new(RefCell::new(value.map(|value| (SLOT, value)).into_iter().collect())),
        }
    }

    /// Reading takes time, before and after it has happened.
    async fn read(&self) -> Result<Option<i64>, Error> {
        step().await;
        let found = self.file.borrow().get(&SLOT).copied();
        step().await;
        Ok(found)
    }

    /// So does writing.
    async fn write(&self) {
        let batch = self.memory.unwritten();
        step().await;
        for (slot, value, _) in &batch.0 {
            match value {
                Some(value) => self.file.borrow_mut().insert(*slot, *value),
                None => self.file.borrow_mut().remove(slot),
            };
        }
        step().await;
        self.memory.let_go(&batch);
    }

    async fn add_one(&self) {
        let read = || self.read();
        let added = self
            .memory
            .change(SLOT, read, |value| (Some(Some(value.copied().unwrap_or(0) + 1)), ()));
        added.await.unwrap();
    }

    async fn take(&self) -> Option<i64> {
        let read = || self.read();
        let taken = self
            .memory
            .change(SLOT, read, |value| (value.map(|_| None), value.copied()));
        taken.await.unwrap()
    }

    /// What there is at last, by memory and then by the file alone.
    fn rest(&self) -> Option<i64> {
        let batch = self.memory.unwritten();
        let known = batch
            .0
            .iter()
            .find(|(slot, ..)| *slot == SLOT)
            .map(|(_, value, _)| *value);
        known.unwrap_or_else(|| self.file.borrow().get(&SLOT).copied())
    }
}

fn task(work: impl Future<Output = ()> + 'static) -> Task {
    Box::pin(work)
}

/// SEC-646: in no order of steps is a change of a counter lost, whether the file knew it before or not, while the file is written
/// twice.
#[test]
fn lock_hygiene_no_order_of_steps_loses_a_change() {
    for before in [None, Some(5)] {
        let orders = every_order(
            || {
                let store = Store::with(before);
                let (one, two, writer) = (store.clone(), store.clone(), store.clone());
                let tasks = vec![
                    task(async move { one.add_one().await }),
                    task(async move { two.add_one().await }),
                    task(async move {
                        writer.write().await;
                        writer.write().await;
                    }),
                ];
                (store, tasks)
            },
            |store, order| assert_eq!(store.rest(), Some(before.unwrap_or(0) + 2), "{order:?}"),
        );
        assert!(orders > 1_000, "{orders}");
    }
}

/// SEC-646: in no order of steps do two get what can be taken once, and nobody finds it afterwards.
#[test]
fn lock_hygiene_no_order_of_steps_gives_twice_what_is_there_once() {
    for in_file in [true, false] {
        let orders = every_order(
            || {
                let store = Store::with(in_file.then_some(9));
                let given = Rc::new(Cell::new(0));
                let putter = store.clone();
                let writer = store.clone();
                let mut tasks: Vec<Task> = (0..2)
                    .map(|_| {
                        let (store, given) = (store.clone(), given.clone());
                        task(async move {
                            if store.take().await.is_some() {
                                given.set(given.get() + 1);
                            }
                        })
                    })
                    .collect();
                tasks.push(task(async move {
                    if !in_file {
                        putter.memory.put(SLOT, Some(9)).await.unwrap();
                        step().await;
                    }
                    writer.write().await;
                }));
                ((store, given), tasks)
            },
            |(store, given), order| {
                // who came before it was put has found nothing
                let there = i32::from(store.rest().is_some());
                assert_eq!(given.get() + there, 1, "{order:?}");
                assert!(!in_file || given.get() == 1, "{order:?}");
            },
        );
        assert!(orders > 500, "{orders}");
    }
}

/// SEC-646: the walk through all orders finds a structure that loses something: the same counter, read and written without care.
#[test]
fn the_walk_through_all_orders_is_not_fooled() {
    let lost = Cell::new(0);
    let orders = every_order(
        || {
            let store = Store::with(Some(0));
            let tasks = (0..2)
                .map(|_| {
                    let store = store.clone();
                    task(async move {
                        let value = store.read().await.unwrap().unwrap();
                        store.file.borrow_mut().insert(SLOT, value + 1);
                    })
                })
                .collect();
            (store, tasks)
        },
        |store, _| lost.set(lost.get() + i32::from(store.rest() != Some(2))),
    );
    assert_eq!(orders, 20, "three steps of two: six over three");
    assert!(lost.get() > 0);
}
